#include "studies/folder/records/claim.h"

namespace absorb {

void fields(RecordFields& list, ClaimProgress& progress) {
  list.field("step", progress.step, About("Of training.").optional());
  list.field("steps", progress.steps, About("In all.").optional());
  list.field("loss", progress.loss, About("Of the last step.").optional());
  list.field("tokens_per_sec", progress.tokens_per_sec, About("Since this sitting began.").optional());
  list.field("seconds_left", progress.seconds_left, About("At that speed.").optional());
  list.field("line", progress.line, About("In words, where something else than training goes on.").optional());
}

void fields(RecordFields& list, ClaimRecord& claim) {
  list.field("host", claim.host, "Of the worker.");
  list.field("pid", claim.pid, "Of the worker, there.");
  list.field("heartbeat", claim.heartbeat, "When it last said that it lives: seconds since 1970.");
  nested(list, "progress", claim.progress, "How far it is.");
}

}  // namespace absorb
