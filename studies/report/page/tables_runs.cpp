#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "statistics/summary.h"
#include "studies/analysis/wording.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

using enum Table::Kind;

std::vector<std::string> sites_of(const RunGroup& group) {
  std::vector<std::string> sites;
  for (const RunRecord* run : group.done)
    for (const SiteHealth& site : run->health)
      if (std::find(sites.begin(), sites.end(), site.site) == sites.end()) sites.push_back(site.site);
  return sites;
}

/// Mean of a field of one site over the done runs of a group; NaN where no run has it.
double mean_at(const RunGroup& group, const std::string& name, double SiteHealth::*field) {
  std::vector<double> values;
  for (const RunRecord* run : group.done)
    for (const SiteHealth& site : run->health)
      if (site.site == name && std::isfinite(site.*field)) values.push_back(site.*field);
  return summarize(values).mean;
}

/// Empty rather than a dash, so that a column that no site has is left out.
}  // namespace

std::string health_table(const Material& material) {
  Table table(
      "Routing health: by site over the valid text, for the route that the run trained with; means over seeds. Entropy "
      "in "
      "nats, "
      "of an item's normalised weights. Imbalance: largest over mean count of an expert. Dead: share of experts that "
      "no "
      "item keeps. Margin: the k-th score minus the next. Saturation: share of sigmoid weights below 0.01 or above "
      "0.99.");
  table.column("Target", words).column("Arm", words).column("Cell", words).column("Site", words).column("Density");
  table.column("Entropy").column("Imbalance").column("Dead").column("Margin at k").column("Saturation");
  table.column("Score mean").column("Score sd");
  for (const RunGroup& group : material.groups) {
    for (const std::string& site : sites_of(group)) {
      const auto mean = [&](double SiteHealth::*field) { return or_nothing(mean_at(group, site, field), 3); };
      table.row({group.target, group.arm, cell_label(group.cell), site, mean(&SiteHealth::density),
                 mean(&SiteHealth::entropy), mean(&SiteHealth::load_imbalance), mean(&SiteHealth::dead_choices),
                 mean(&SiteHealth::margin), mean(&SiteHealth::saturation), mean(&SiteHealth::score_mean),
                 mean(&SiteHealth::score_sd)});
    }
  }
  return table.html();
}

std::string information_table(const Material& material) {
  Table table(
      "Routing information, in bits an observation (a token, or a pair of query and key): what the decisions say of "
      "what "
      "would have helped another seed's run, less Miller's correction, with a 95 % t interval over seeds. Null: the 95 "
      "% "
      "quantile of permuted labels. Probe: what a linear one reads out of the routers' input.");
  table.column("Target", words).column("Arm", words).column("Cell", words).column("Deployment", words).column("n");
  table.column("Bits").column("95 %").column("Null, 95 %").column("p, largest").column("Probe").column("Label entropy");
  bool any = false;
  for (const DeploymentSummary& row : material.analysis.deployments)
    for (const auto& [kind, found] : row.information) {
      any = true;
      table.row({row.target == "both" ? "both: " + kind : row.target, row.arm, cell_label(row.cell), row.key,
                 std::to_string(found.bits.n), number(found.bits.mean), bracketed(found.bits.ci95),
                 number(found.null_95.mean), p_value(found.largest_p), number(found.ceiling.mean),
                 number(found.label_entropy.mean)});
    }
  return any ? table.html() : "";
}

std::string run_table(const Material& material) {
  Table table("Runs: every one of the study. Losses in nats per token; time in seconds.");
  table.column("Target", words).column("Arm", words).column("Cell", words).column("Seed").column("State", words);
  table.column("Valid loss")
      .column("Test loss")
      .column("Bits per byte")
      .column("Swap cost")
      .column("Tokens per second");
  table.column("Time").column("Failure", words);
  for (const RunRecord& run : material.records)
    table.row({run.target, run.arm, cell_label(run.cell), std::to_string(run.seed), run.state, number(run.val_loss),
               number(run.test_loss), or_nothing(run.bits_per_byte, 4), number(deployment_cost(run, "swap")),
               count(run.tokens_per_sec), number(run.seconds, 1), run.failure});
  return table.html();
}

}  // namespace absorb::report
