// A study's folder as one file, STUDY.tar.zst: settings, plan, records, metrics at a chosen rhythm, with or without
// weights. Its first entry is bundle.json, a checksum of every other one. In an unpacked bundle the study goes on:
// finished runs count without their weights, and what needs weights says so.
#pragma once

#include "studies/folder/records/bundle.h"
#include "studies/folder/records/plan.h"

namespace absorb {

struct PackOptions {
  bool weights = false;
  int64_t every = 1;
};
/// Packs what is finished of the study in `folder`: aside and renamed, so that `out` is whole or absent.
BundleRecord pack(const Path& folder, const PlanRecord& plan, const Path& out, const PackOptions& options);

/// Unpacks into a folder that doesn't exist yet: beside it and renamed, once every checksum is right. UserError where
/// the bundle is damaged or of a later format, or would write elsewhere.
BundleRecord unpack(const Path& bundle, const Path& folder);

/// What verification found.
struct Verified {
  int64_t runs = 0, files = 0;
  int64_t left_out = 0;            // files that the bundle, which the folder came from, was made without
  int64_t unrecorded = 0;          // finished runs of format 0, which have no checksums
  std::vector<std::string> wrong;  // "PATH: missing", "PATH: another checksum"
};
/// Every finished run of a study's folder against its files.json.
Verified verify_folder(const Path& folder, const PlanRecord& plan);
/// UserError as unpack(); writes nothing.
Verified verify_bundle(const Path& bundle);

/// Lines of metrics.jsonl at a rhythm: every evaluation and the line before it, the first and the last, and steps that
/// `every` divides.
std::string thinned(const std::string& metrics, int64_t every);

}  // namespace absorb
