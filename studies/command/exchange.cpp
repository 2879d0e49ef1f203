#include <CLI/CLI.hpp>
#include <iostream>

#include "core/error.h"
#include "studies/command/cli_parts.h"
#include "studies/exchange/export.h"
#include "studies/exchange/import.h"

namespace absorb {

int import_command(const ImportOptions& options) {
  const ImportResult made = import_model(options.from, options.to, options.argv);
  std::cout << fmt::format("{}: {} with {} parameters, {}\n", options.to.string(), made.family, made.parameters,
                           made.hash);
  return exit_done;
}

int export_command(const ExportOptions& options) {
  const ExportResult made = export_run(options.run, options.to);
  std::cout << fmt::format("{}: {} in {} file{}; tokeniser: {}\n", options.to.string(), made.family, made.shards,
                           made.shards == 1 ? "" : "s", made.tokeniser);
  return exit_done;
}

void add_exchange(CLI::App& app, ExchangeOptions& o, Command& chosen) {
  CLI::App* import = app.add_subcommand("import", "Make a run's folder of a model in a Hugging Face folder");
  import->add_option("DIR", o.import.from, "A folder with config.json and model.safetensors, or its shards")
      ->required();
  import->add_option("OUT", o.import.to, "A folder that doesn't exist yet")->required();
  import->footer("Families: " + join(families()));
  import->callback([&] { chosen = [&o] { return import_command(o.import);
};
}  // namespace absorb
);

CLI::App* out = app.add_subcommand("export", "Make a Hugging Face folder of a finished run");
out->add_option("RUN", o.out.run, "A run's folder, such as runs/quick/dense.dense/seed-1")->required();
out->add_option("DIR", o.out.to, "A folder that doesn't exist yet")->required();
out->callback([&] { chosen = [&o] { return export_command(o.out); }; });

CLI::App* evaluate = app.add_subcommand("evaluate", "Ask finished models of other text; nothing is trained");
evaluate->add_option("WHAT", o.evaluate.what, "Runs' folders, a study's, or Hugging Face folders")->required();
evaluate->add_option("--text", o.evaluate.texts, "Loss, perplexity and bits per byte of a file (.txt, .jsonl, packed)")
    ->allow_extra_args(false);
evaluate
    ->add_option("--pairs", o.evaluate.pairs,
                 "Accuracy on minimal pairs: .jsonl with sentence_good and sentence_bad, or a folder of them")
    ->allow_extra_args(false);
evaluate->add_option("--tokeniser", o.evaluate.tokeniser,
                     "bytes, or a folder with tokenizer.json or encoder.json; default: the model's own");
evaluate->add_option("--batch", o.evaluate.batch, "Sequences at a time")
    ->capture_default_str()
    ->check(CLI::PositiveNumber);
evaluate->add_option("--device", o.evaluate.device, "auto, cpu or cuda")->capture_default_str();
evaluate->add_option("--json", o.evaluate.json, "Write every number here, too");
evaluate->footer("Example: absorb evaluate runs/quick --text other.txt --pairs blimp/");
evaluate->callback([&] { chosen = [&o] { return evaluate_command(o.evaluate); }; });
}

}  // namespace absorb
