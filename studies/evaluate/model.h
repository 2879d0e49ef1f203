// A model to ask of other text: a finished run, or a Hugging Face folder, with its tokeniser. Nothing is trained.
#pragma once

#include "studies/run/live_run.h"
#include "training/data/tokeniser/text_settings.h"

namespace absorb {

struct ModelRequest {
  Path folder;            // of a finished run, or a Hugging Face folder
  Path moments_run;       // of a run whose routing.moments_of names another, that one; else empty
  std::string tokeniser;  // "bytes", or a folder with its files; empty: the model's own
};

struct EvaluatedModel {
  std::string name;
  LiveRun run;
  TextSettings text;  // its tokeniser; a file is one document
};

/// UserError where the folder is neither, isn't finished or isn't as it was written, or where nothing says how it reads
/// text.
EvaluatedModel open_model(const ModelRequest& request, at::Device device);

}  // namespace absorb
