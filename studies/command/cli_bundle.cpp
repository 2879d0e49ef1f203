#include <CLI/CLI.hpp>

#include "studies/command/cli_parts.h"

namespace absorb {

void add_bundles(CLI::App& app, BundleOptions& o, Command& chosen) {
  CLI::App* packing = app.add_subcommand("pack", "Write a study's folder as one file, OUT.tar.zst");
  packing->add_option("DIR", o.pack.folder, "A study's folder, such as runs/quick")->required();
  packing->add_option("OUT", o.pack.out, "The file to write, such as quick.tar.zst")->required();
  packing->add_flag("--weights", o.pack.weights, "With the weights of finished runs");
  packing->add_option("--every", o.pack.every, "Keep metrics of every Nth step, and all evaluations; 1: all")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  packing->callback([&] { chosen = [&o] { return pack_command(o.pack); }; });

  CLI::App* unpacking = app.add_subcommand("unpack", "Make a study's folder of a bundle; the study goes on there");
  unpacking->add_option("BUNDLE", o.bundle, "What `absorb pack` wrote")->required();
  unpacking->add_option("DIR", o.folder, "A folder that doesn't exist yet, such as runs/quick")->required();
  unpacking->callback([&] { chosen = [&o] { return unpack_command(o.bundle, o.folder); }; });

  CLI::App* verifying = app.add_subcommand("verify", "Hold a study's folder, or a bundle, against its checksums");
  verifying->add_option("WHAT", o.verify.what, "A study's folder or a bundle")->required();
  verifying->add_option("--rerun", o.verify.rerun,
                        "Train this finished run once more, elsewhere, and compare to the bit: ARM.TARGET/seed-N");
  verifying->add_option("--device", o.verify.device, "For --rerun: auto, cpu or cuda")->capture_default_str();
  verifying->footer(
      "Example: absorb verify runs/quick --rerun learned.attention/seed-1\n"
      "Exit status: 0 as written, 2 damaged, 3 the second run differs");
  verifying->callback([&] { chosen = [&o] { return verify_command(o.verify); }; });
}

}  // namespace absorb
