#include <cmath>
#include <iostream>
#include <map>

#include "core/device.h"
#include "core/error.h"
#include "core/numbers.h"
#include "statistics/documents.h"
#include "statistics/paired.h"
#include "studies/analysis/groups.h"
#include "studies/command/commands.h"
#include "studies/command/summary.h"
#include "studies/evaluate/texts.h"
#include "studies/folder/paths.h"
#include "studies/report/text/table.h"
#include "studies/report/text/text_table.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

/// One run asked one file.
struct Asked {
  double value = nan;       // nats per token, or the share of pairs that it got right
  double bits = nan;        // per byte; of a text
  int64_t count = 0;        // tokens, or pairs
  std::vector<bool> right;  // by pair
};

struct Row {
  std::string name;
  Path folder;
  std::map<std::string, Asked> by_file;
};

struct Wanted {
  ModelRequest model;
  std::string name;
};

/// Every finished run of a study, or the folder itself.
std::vector<Wanted> wanted_models(const EvaluateOptions& options) {
  std::vector<Wanted> out;
  for (const Path& folder : options.what) {
    if (!fs::exists(folder / "plan.json") && !fs::exists(folder / "study.toml")) {
      out.push_back({{folder, {}, options.tokeniser}, folder.string()});
      continue;
    }
    for (const RunSpec& run : plan_in(folder).runs)
      if (is_done(run.folder)) out.push_back({{run.folder, run.moments_run, options.tokeniser}, run.name()});
  }
  require(!out.empty(), "no run there is finished: `absorb run` trains them");
  return out;
}

std::vector<Path> pair_files(const std::vector<Path>& named) {
  std::vector<Path> out;
  for (const Path& path : named) {
    if (!fs::is_directory(path)) {
      out.push_back(path);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.path().extension() == ".jsonl") out.push_back(entry.path());
  }
  std::ranges::sort(out);
  return out;
}

Row ask(const Wanted& wanted, const EvaluateOptions& options, const std::map<std::string, std::vector<Pair>>& pairs,
        at::Device device) {
  const EvaluatedModel model = open_model(wanted.model, device);
  Row row{wanted.name, wanted.model.folder, {}};
  for (const Path& text : options.texts) {
    const TextResult found = evaluate_text(model, text, options.batch);
    row.by_file[text.string()] = {found.loss, found.bits_per_byte, found.tokens, {}};
  }
  for (const auto& [file, list] : pairs) {
    Asked asked;
    asked.right = judge_pairs(model, list, options.batch);
    asked.count = std::ssize(list);
    asked.value = static_cast<double>(std::ranges::count(asked.right, true)) / static_cast<double>(asked.count);
    row.by_file[file] = std::move(asked);
  }
  return row;
}

std::string interval_text(const std::optional<Interval>& interval) {
  return interval ? fmt::format("[{:.4f}, {:.4f}]", interval->low, interval->high) : "-";
}

std::string text_rows(const std::vector<Row>& rows, const EvaluateOptions& options) {
  std::string out;
  for (const Path& file : options.texts) {
    TextTable table({{"model", TextTable::Align::left},
                     {"nats/token", TextTable::Align::right},
                     {"ppl", TextTable::Align::right},
                     {"bits/byte", TextTable::Align::right},
                     {"tokens", TextTable::Align::right}});
    for (const Row& row : rows) {
      const Asked& asked = row.by_file.at(file.string());
      table.row({row.name, fmt::format("{:.4f}", asked.value), fmt::format("{:.2f}", std::exp(asked.value)),
                 std::isfinite(asked.bits) ? fmt::format("{:.4f}", asked.bits) : "-", grouped(asked.count)});
    }
    out += fmt::format("TEXT {}\n{}\n", file.filename().string(), table.text(table_width));
  }
  return out;
}

std::string pair_rows(const std::vector<Row>& rows, const std::map<std::string, std::vector<Pair>>& pairs) {
  if (pairs.empty()) return "";
  TextTable table({{"model", TextTable::Align::left},
                   {"pairs of", TextTable::Align::left},
                   {"accuracy", TextTable::Align::right},
                   {"pairs", TextTable::Align::right}});
  for (const Row& row : rows) {
    double right = 0, all = 0;
    for (const auto& [file, list] : pairs) {
      const Asked& asked = row.by_file.at(file);
      right += asked.value * static_cast<double>(asked.count);
      all += static_cast<double>(asked.count);
      table.row({row.name, Path(file).stem().string(), fmt::format("{:.4f}", asked.value), grouped(asked.count)});
    }
    if (pairs.size() > 1)
      table.row({row.name, "all", fmt::format("{:.4f}", right / all), grouped(static_cast<int64_t>(all))});
  }
  return "MINIMAL PAIRS: the share of which the good sentence is the likelier one\n" + table.text(table_width) + '\n';
}

using Both = std::vector<std::pair<const Row*, const Row*>>;

/// The runs of two groups by common seed.
Both pairs_of(const std::vector<Row>& rows, const RunGroup& treatment, const RunGroup& control) {
  const auto row_of = [&](const RunRecord* run) {
    return &*std::ranges::find_if(rows, [&](const Row& row) { return fs::equivalent(row.folder, run->folder); });
  };
  Both out;
  for (const RunRecord* with : treatment.done)
    for (const RunRecord* without : control.done)
      if (with->seed == without->seed) out.emplace_back(row_of(with), row_of(without));
  return out;
}

/// Of pairs: seeds and pairs crossed. Of texts: seeds.
std::vector<std::string> contrast_row(const std::string& name, const std::string& file, const Both& both) {
  std::vector<double> differences;
  std::vector<std::vector<double>> by_pair;
  for (const auto& [treatment, control] : both) {
    const Asked &with = treatment->by_file.at(file), &without = control->by_file.at(file);
    const bool text = with.right.empty();
    differences.push_back(text ? without.value - with.value : with.value - without.value);
    by_pair.emplace_back();
    for (std::size_t i = 0; i < with.right.size(); ++i)
      by_pair.back().push_back(static_cast<double>(with.right[i]) - static_cast<double>(without.right[i]));
  }
  const Paired test = paired(differences);
  std::optional<Interval> items;
  if (!by_pair.front().empty())
    items = document_interval(by_pair, std::vector<double>(by_pair.front().size(), 1.0)).ci95;
  return {name,
          Path(file).stem().string(),
          fmt::format("{}", test.n),
          fmt::format("{:+.4f}", test.mean),
          interval_text(test.ci95),
          std::isfinite(test.p_t) ? fmt::format("{:.4f}", test.p_t) : "-",
          interval_text(items)};
}

/// Of a study's own contrasts, by target (and cell).
std::string contrasts(const EvaluateOptions& options, const std::vector<Row>& rows) {
  if (options.what.size() != 1 || !fs::exists(options.what[0] / "study.toml")) return "";
  const Study study = study_in(options.what[0]);
  TextTable table({{"contrast", TextTable::Align::words},
                   {"of", TextTable::Align::left},
                   {"n", TextTable::Align::right},
                   {"difference", TextTable::Align::right},
                   {"95 % over seeds", TextTable::Align::left},
                   {"p_t", TextTable::Align::right},
                   {"over seeds x pairs", TextTable::Align::left}});
  bool any = false;
  const std::vector<RunRecord> records = read_records(options.what[0], planned_in(options.what[0]));
  const std::vector<RunGroup> groups = group_runs(study, records);
  for (const ContrastSpec& contrast : study.contrasts)
    for (const RunGroup* place : places_of(groups)) {
      const RunGroup *treatment = arm_at(groups, contrast.treatment, *place),
                     *control = arm_at(groups, contrast.control, *place);
      if (treatment == nullptr || control == nullptr) continue;
      const Both both = pairs_of(rows, *treatment, *control);
      const std::string cell = cell_label(place->cell);
      const std::string where = place->target + (cell.empty() ? "" : ", " + cell);
      for (const auto& [file, asked] : rows.front().by_file) {
        if (both.empty()) continue;
        table.row(contrast_row(fmt::format("{} ({})", contrast.name, where), file, both));
        any = true;
      }
    }
  if (!any) return "";
  return "CONTRASTS: positive where the treatment is better; nats per token of texts, accuracy of pairs\n" +
         table.text(table_width) + '\n';
}

Json json_rows(const std::vector<Row>& rows) {
  Json out = Json::array();
  for (const Row& row : rows)
    for (const auto& [file, asked] : row.by_file) {
      Json one = {{"model", row.name}, {"folder", row.folder.string()}, {"file", file}};
      if (asked.right.empty()) {
        one["loss"] = asked.value;
        one["perplexity"] = std::exp(asked.value);
        one["bits_per_byte"] = std::isfinite(asked.bits) ? Json(asked.bits) : Json();
        one["tokens"] = asked.count;
      } else {
        one["accuracy"] = asked.value;
        one["pairs"] = asked.count;
        one["right"] = asked.right;
      }
      out.push_back(std::move(one));
    }
  return out;
}

}  // namespace

int evaluate_command(const EvaluateOptions& options) {
  require(!options.texts.empty() || !options.pairs.empty(),
          "say what to evaluate on: --text FILE, or --pairs FILE or a folder of them");
  std::map<std::string, std::vector<Pair>> pairs;
  for (const Path& file : pair_files(options.pairs)) pairs[file.string()] = read_pairs(file);
  const at::Device device = find_device(options.device);
  configure_torch(1, false);
  std::vector<Row> rows;
  const std::vector<Wanted> wanted = wanted_models(options);
  for (const Wanted& one : wanted) {
    rows.push_back(ask(one, options, pairs, device));
    if (wanted.size() > 1) std::cerr << fmt::format("{} of {}: {}\n", rows.size(), wanted.size(), one.name);
  }
  std::cout << text_rows(rows, options) << pair_rows(rows, pairs) << contrasts(options, rows);
  if (!options.json.empty()) write_file(options.json, json_rows(rows).dump(2) + '\n');
  return exit_done;
}

}  // namespace absorb
