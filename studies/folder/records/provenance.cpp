#include "studies/folder/records/provenance.h"

namespace absorb {

void fields(RecordFields& list, ProvenanceRecord& run) {
  list.field("argv", run.argv, "The command line.");
  list.field("version", run.version, "Of absorb.");
  list.field("commit", run.commit, "That it was built from.");
  list.field("dirty", run.dirty, "Whether the tree held changes of its own.");
  list.field("binary_hash", run.binary_hash, "Of the command and its library.");
  list.field("libtorch", run.libtorch, About("Version of LibTorch.").optional());
  list.field("driver", run.driver, "Of the GPU; empty without one.");
  list.field("device", run.device, "That trained.");
  list.field("cpu", run.cpu, About("Of the machine.").optional());
  list.field("threads", run.threads, "Of the CPU, for this run.");
  list.field("host", run.host, About("Name of the machine.").optional());
  list.field("started", run.started, "UTC, of the last sitting.");
  list.field("plugins", run.plugins, About("Hashes of the plug-ins that were loaded, by file name.").optional());
  list.field("data", run.data, About("describe: in words; hash: of what was read.").optional());
  list.field("seconds", run.seconds, About("Of training, over all sittings.").optional());
  list.field("tokens", run.tokens, About("Trained on, over all sittings.").optional());
  list.field("kernels", run.kernels, About("fused or composition.").optional());
  list.field("peak_gpu_bytes", run.peak_gpu_bytes, About("Of the process.").optional());
  list.field("runs_at_once", run.runs_at_once, About("Runs of the process at a time.").optional());
  list.field("finished", run.finished, About("UTC.").optional());
}

}  // namespace absorb
