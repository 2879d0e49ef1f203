#include <algorithm>
#include <map>

#include "core/error.h"
#include "statistics/summary.h"
#include "studies/analysis/groups.h"
#include "studies/analysis/rows/document_pairs.h"
#include "studies/analysis/wording.h"
#include "studies/report/text/diff.h"
#include "studies/report/text/table.h"
#include "studies/report/text/text_table.h"

namespace absorb {
namespace {

/// The runs of one arm, target and cell.
struct Place {
  std::string arm, target;
  Cell cell;
  std::string name() const { return with_cell(target == "dense" ? arm : arm + "." + target, cell); }
};

struct SeedPairs {
  Place place;
  std::vector<const RunRecord*> a, b;                      // done in both, element i of both from the same seed
  std::map<std::string, std::vector<std::string>> absent;  // "A: interrupted, B: done" -> seeds
};

std::vector<Place> places_of(const std::vector<RunRecord>& a, const std::vector<RunRecord>& b) {
  std::vector<Place> places;
  for (const auto* side : {&a, &b})
    for (const RunRecord& run : *side)
      if (std::none_of(places.begin(), places.end(), [&run](const Place& place) {
            return place.arm == run.arm && place.target == run.target && place.cell == run.cell;
          }))
        places.push_back({run.arm, run.target, run.cell});
  return places;
}

const RunRecord* find_run(const std::vector<RunRecord>& records, const Place& place, int64_t seed) {
  const auto found = std::find_if(records.begin(), records.end(), [&](const RunRecord& run) {
    return run.arm == place.arm && run.target == place.target && run.cell == place.cell && run.seed == seed;
  });
  return found == records.end() ? nullptr : &*found;
}

SeedPairs pair_up(const Place& place, const std::vector<RunRecord>& a, const std::vector<RunRecord>& b) {
  std::vector<int64_t> seeds;
  for (const auto* side : {&a, &b})
    for (const RunRecord& run : *side)
      if (find_run(*side, place, run.seed) == &run && std::count(seeds.begin(), seeds.end(), run.seed) == 0)
        seeds.push_back(run.seed);
  std::sort(seeds.begin(), seeds.end());
  SeedPairs pairs{place, {}, {}, {}};
  const auto state = [](const RunRecord* run) { return run == nullptr ? "not planned" : run->state; };
  for (const int64_t seed : seeds) {
    const RunRecord *before = find_run(a, place, seed), *after = find_run(b, place, seed);
    if (state(before) == "done" && state(after) == "done") {
      pairs.a.push_back(before);
      pairs.b.push_back(after);
    } else {
      pairs.absent[fmt::format("A: {}, B: {}", state(before), state(after))].push_back(std::to_string(seed));
    }
  }
  return pairs;
}

/// Each line that `differ` finds between the two runs of a pair, with the places where it does unless that is all.
template <class Differ>
std::string listed(const std::string& title, const std::vector<SeedPairs>& all, Differ differ) {
  std::vector<std::pair<std::string, std::vector<std::string>>> lines;
  size_t compared = 0;
  for (const SeedPairs& pairs : all) {
    compared += pairs.a.empty() ? 0 : 1;
    for (size_t i = 0; i < pairs.a.size(); ++i)
      for (const std::string& line : differ(*pairs.a[i], *pairs.b[i])) {
        auto found =
            std::find_if(lines.begin(), lines.end(), [&line](const auto& known) { return known.first == line; });
        if (found == lines.end()) found = lines.insert(lines.end(), {line, {}});
        if (found->second.empty() || found->second.back() != pairs.place.name())
          found->second.push_back(pairs.place.name());
      }
  }
  std::string out = title + (lines.empty() ? ": nothing differs\n" : ", A -> B\n");
  for (const auto& [line, places] : lines)
    out += wrapped(places.size() == compared ? line : line + " (" + join(places) + ")", table_width, "  ", "    ");
  return out;
}

/// A difference between losses on different text is not one between models.
std::string other_text(const std::vector<SeedPairs>& all) {
  std::vector<std::string> places;
  for (const SeedPairs& pairs : all)
    if (!pairs.a.empty() && !same_documents(*pairs.a.front(), *pairs.b.front())) places.push_back(pairs.place.name());
  if (places.empty()) return "";
  return wrapped("NOTE: A and B were not evaluated on the same documents, which B - A includes: " + join(places),
                 table_width, "  ", "  ");
}

std::string losses(const std::vector<SeedPairs>& all) {
  using enum TextTable::Align;
  TextTable table;
  for (const auto& [title, align] : {std::pair{"target", words},
                                     {"arm", words},
                                     {"cell", words},
                                     {"n", right},
                                     {"A", right},
                                     {"B", right},
                                     {"B - A", right},
                                     {"95 % interval", left}})
    table.column(title, align);
  const auto loss = [](const RunRecord& run) { return run.val_loss; };
  for (const SeedPairs& pairs : all) {
    if (pairs.a.empty()) continue;
    const std::vector<double> a = values_of(pairs.a, loss), b = values_of(pairs.b, loss);
    const Summary difference = summarize(differences(std::span(b), std::span(a)));
    table.row({pairs.place.target, pairs.place.arm, cell_label(pairs.place.cell), std::to_string(difference.n),
               number(summarize(a).mean), number(summarize(b).mean), signed_number(difference.mean),
               bracketed(t_interval(difference))});
  }
  return "LOSS on valid text, nats per token: means over the n seeds done in both; B - A paired by seed,\n"
         "with its t interval\n" +
         table.text(table_width) + other_text(all);
}

std::string absent(const std::vector<SeedPairs>& all) {
  std::string out;
  for (const SeedPairs& pairs : all)
    for (const auto& [states, seeds] : pairs.absent)
      out += wrapped(
          fmt::format("{}: {} {} ({})", pairs.place.name(), seeds.size() == 1 ? "seed" : "seeds", join(seeds), states),
          table_width, "  ", "    ");
  return out.empty() ? out : "\nLEFT OUT, not done in both\n" + out;
}

}  // namespace

std::string diff_studies(const StudyRuns& a, const StudyRuns& b) {
  std::vector<SeedPairs> all;
  for (const Place& place : places_of(a.records, b.records)) all.push_back(pair_up(place, a.records, b.records));
  require(
      std::any_of(all.begin(), all.end(), [](const SeedPairs& pairs) { return !pairs.a.empty(); }),
      "{} and {}: no arm, target and seed is done in both, so there is nothing to compare (`absorb status DIR` says "
      "how far each run is)",
      a.folder.string(), b.folder.string());
  return fmt::format("A  {}\nB  {}\n\n", a.folder.string(), b.folder.string()) +
         listed("SETTINGS", all, settings_differences) + '\n' + listed("PROVENANCE", all, provenance_differences) +
         '\n' + losses(all) + absent(all);
}

}  // namespace absorb
