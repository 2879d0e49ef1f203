// Studies made of numbers instead of training, for the tests of the analysis, the table and the page. Everything here
// is arithmetic on small constants, so that expected texts are the same on every machine.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "core/numbers.h"
#include "studies/analysis/analysis.h"
#include "tests/studies/synthetic_deployments.h"

namespace absorb::synthetic {

inline RunRecord run(const std::string& arm, const std::string& target, int64_t seed, double loss) {
  RunRecord record;
  record.arm = arm;
  record.target = target;
  record.seed = seed;
  record.state = "done";
  record.val_loss = loss;
  record.test_loss = loss + 0.01;
  record.bits_per_byte = loss / std::log(2.0);
  record.evaluations["native"] = loss;
  record.mass_top_k = record.mass_uniform = record.router_displacement = nan;
  record.parameters = {400'000, 432'768, 367'232, 98'304, 16'384, 400'000};
  record.flops_per_token = 8e5;
  record.tokens_per_sec = 12'345.5;
  record.seconds = 100;
  return record;
}

inline RunRecord routed(const std::string& arm, const std::string& target, int64_t seed, double loss, double cost) {
  RunRecord record = run(arm, target, seed, loss);
  record.evaluations["swap"] = loss + cost;
  record.router_displacement = arm == "learned" ? 0.75 : 0;
  return record;
}

inline RunRecord dense(int64_t seed, double loss, double random_cost) {
  RunRecord record = run("dense", "dense", seed, loss);
  record.evaluations["oracle_top_k"] = loss + 0.006;
  record.evaluations["random_top_k"] = loss + random_cost;
  record.top_k = 16;
  record.mass_top_k = 0.85;
  record.mass_uniform = 0.25;
  return record;
}

inline ContrastSpec contrast(const std::string& name, const std::string& treatment, const std::string& control,
                             bool primary = true) {
  ContrastSpec spec;
  spec.name = name;
  spec.treatment = treatment;
  spec.control = control;
  spec.primary = primary;
  return spec;
}

/// Arms learned and random in attention and moe, and dense. Gaps by seed: attention 1, 2, 3, 4, 5 hundredths of a nat,
/// moe 4, 6, 8, 10, 12 hundredths; swap costs 0.2 (attention) and 0.4 (moe) +- a hundredth.
inline Study small_study() {
  Study study;
  study.settings.name = "small";
  study.settings.question = "Does a learned router beat a frozen random one - in attention, and in MoE?";
  study.settings.seeds = {1, 2, 3, 4, 5};
  study.arms = {{"learned", {}, {}}, {"random", Settings::from_text("routing.frozen = true", "small"), {}}};
  study.contrasts = {contrast("routing gap", "learned", "random")};
  return study;
}

inline std::vector<RunRecord> small_records(int64_t seeds = 5) {
  std::vector<RunRecord> records;
  for (int64_t seed = 1; seed <= seeds; ++seed) {
    const auto s = static_cast<double>(seed);
    const double wobble = seed % 2 == 0 ? 0.01 : -0.01, base = 1.5 + 0.002 * s;
    records.push_back(dense(seed, base - 0.1, 0.74 + wobble));
    records.push_back(routed("learned", "attention", seed, base, 0.2 + wobble));
    records.push_back(routed("random", "attention", seed, base + 0.01 * s, 0.01));
    records.push_back(routed("learned", "moe", seed, base, 0.4 + wobble));
    records.push_back(routed("random", "moe", seed, base + 0.02 + 0.02 * s, 0.01));
  }
  return records;
}

/// What the page can show at all: three targets, the 2 x 2, contrasts of every kind, curves, health, documents,
/// deployments, gradient accounts. Doses: rich_analysis().
inline Study rich_study() {
  Study study = small_study();
  study.settings.name = "rich";
  study.settings.note = "Demonstration: synthetic numbers, made to show every part of the page.";
  study.settings.targets = {"attention", "moe", "both"};
  study.arms = {{"learned", {}, {}},
                {"random", Settings::from_text("routing.frozen = true", "rich"), {}},
                {"random2", Settings::from_text("routing.frozen = true\nrouting.draw = 2", "rich"), {}},
                {"random_attention", Settings::from_text("routing.attention.frozen = true", "rich"), {"both"}},
                {"random_moe", Settings::from_text("routing.moe.frozen = true", "rich"), {"both"}}};
  study.contrasts = {contrast("routing gap", "learned", "random"), contrast("A/A", "random2", "random", false),
                     contrast("added <later> & \"quoted\"", "learned", "random2", false),
                     contrast("gap deployed hard", "learned", "random", false)};
  study.contrasts.back().deployment = "hard";
  study.base = Settings::from_text(
      "[model]\nlayers = 2\nwidth = 128\ncontext = 128\n[routing]\nrouter = { type = \"bilinear\", rank = 32 }\n"
      "selection = { type = \"top_k\", k = 16 }\n[data]\ncorpus = \"dictionary.txt\"\n[training]\nsteps = 600\n"
      "batch = 16\n",
      "rich");
  return study;
}

/// What who plans a study says of its data, model and training.
inline MethodsWords words() {
  return {"The corpus is dictionary.txt.", "All arms share a pre-LayerNorm transformer of 2 layers",
          "Each run took 600 steps."};
}

inline TwoByTwo rich_square() {
  return {"learned", "random_attention", "random_moe", "random"};
}

inline void add_site(RunRecord& record, const std::string& site, bool experts, double shift) {
  SiteHealth health;
  health.site = site;
  health.load_imbalance = experts ? 1.4 + 0.1 * shift : nan;
  health.entropy = 1.9 + 0.1 * shift;
  health.dead_choices = experts ? 0.0 : nan;
  health.density = 0.25 + 0.01 * shift;
  health.margin = 0.031 + 0.002 * shift;
  health.saturation = experts ? nan : 0.02;
  health.score_mean = 0.01 * shift;
  health.score_sd = 1 + 0.2 * shift;
  record.health.push_back(health);
}

/// Curves, documents, health and provenance for a record that has its losses.
inline void dress(RunRecord& record, double number) {
  for (int64_t step = 0; step <= 600; step += 20) {
    const double late = std::exp(-static_cast<double>(step) / 90);
    const double val = record.val_loss + 3.6 * late + 0.01 * wave(number + static_cast<double>(step));
    record.curve.push_back({step, step * 2048, val - 0.05, step == 600 ? record.val_loss : val});
  }
  for (int64_t document = 0; document < 60; ++document) {
    const int64_t tokens = 200 + 10 * document;
    const double loss = record.val_loss + 0.2 * wave(static_cast<double>(document)) +
                        0.03 * wave(number * 61 + static_cast<double>(document));
    record.documents.push_back(document);
    record.document_tokens.push_back(tokens);
    record.document_losses.push_back(loss * static_cast<double>(tokens));
  }
  for (int64_t layer = 0; layer < 2; ++layer) {
    if (record.target == "attention" || record.target == "both")
      add_site(record, std::to_string(layer) + ".attention", false, wave(number));
    if (record.target == "moe" || record.target == "both")
      add_site(record, std::to_string(layer) + ".moe", true, wave(number));
  }
  record.provenance = {{"argv", {"absorb", "run", "configs/rich.toml", "--jobs", "2"}},
                       {"version", "0.1.0"},
                       {"commit", "0123456789abcdef0123456789abcdef01234567"},
                       {"dirty", false},
                       {"binary_hash", "00112233445566778899aabbccddeeff"},
                       {"device", "cpu"},
                       {"threads", 1},
                       {"started", "2026-01-31T12:" + std::to_string(10 + record.seed) + ":00Z"}};
}

inline std::vector<RunRecord> rich_records(int64_t seeds = 5) {
  std::vector<RunRecord> records;
  double number = 0;
  const auto add = [&](RunRecord record) {
    dress(record, ++number);
    if (record.target == "both")
      add_deployments(record, {"learned", "random", "random2", "random_attention", "random_moe"}, 6, number);
    else if (record.target != "dense")
      add_deployments(record, {"learned", "random", "random2"}, 6, number);
    if (record.target != "dense") add_accounts(record, 50, number);
    records.push_back(std::move(record));
  };
  for (int64_t seed = 1; seed <= seeds; ++seed) {
    const double base = 1.5 + 0.01 * wave(static_cast<double>(seed));
    const auto noise = [&number] { return 0.006 * wave(number + 0.5); };
    add(dense(seed, base - 0.06, 0.74 + noise()));
    for (const std::string target : {"attention", "moe", "both"}) {
      const double gap = target == "attention" ? 0.03 : target == "moe" ? 0.09 : 0.13;
      const double cost = target == "attention" ? 0.32 : target == "moe" ? 0.48 : 0.7;
      RunRecord learned = routed("learned", target, seed, base + noise(), cost + 4 * noise());
      learned.evaluations["swap_attention"] = learned.val_loss + 0.3 + noise();
      learned.evaluations["swap_moe"] = learned.val_loss + 0.45 + noise();
      add(learned);
      add(routed("random", target, seed, base + gap + noise(), 0.004));
      add(routed("random2", target, seed, base + gap + noise(), 0.003));
    }
    add(routed("random_attention", "both", seed, base + 0.03 + noise(), 0.2));
    add(routed("random_moe", "both", seed, base + 0.1 + noise(), 0.2));
  }
  return records;
}

/// Arms learned and random in attention and moe at every value of one axis. In the k-th cell (k = 0, 1, ...) the gap is
/// 0.02 + 0.01 k nats in attention and twice that in moe, the swap cost 0.4 nats.
inline Study dose_study(const std::string& axis, const std::vector<Json>& values) {
  Study study = small_study();
  AxisSpec spec{axis, values, {}};
  for (const Json& value : values) spec.labels.push_back(value.dump());
  study.axes = {spec};
  return study;
}

inline std::vector<RunRecord> dose_records(const Study& study) {
  std::vector<RunRecord> records;
  for (int64_t seed = 1; seed <= 5; ++seed)
    for (size_t k = 0; k < study.axes.front().labels.size(); ++k)
      for (const std::string target : {"attention", "moe"}) {
        const double noise = 0.004 * wave(static_cast<double>(seed) + 7 * static_cast<double>(k));
        const double gap = (0.02 + 0.01 * static_cast<double>(k)) * (target == "moe" ? 2 : 1) + noise;
        for (RunRecord record :
             {routed("learned", target, seed, 1.5, 0.4), routed("random", target, seed, 1.5 + gap, 0)}) {
          record.cell = {{study.axes.front().key, study.axes.front().labels[k]}};
          records.push_back(std::move(record));
        }
      }
  return records;
}

/// The analysis of a rich study, with the doses of a rank and of a trajectory, which take studies of their own.
inline StudyAnalysis rich_analysis(const Study& study, const std::vector<RunRecord>& records) {
  StudyAnalysis analysis = analyse(study, records, {"routing gap", "A/A", "gap deployed hard"}, rich_square());
  for (const Study& dose :
       {dose_study("routing.router.rank", {2, 4, 8, 16}), dose_study("training.steps", {150, 600, 2400})})
    for (DoseResult& result : analyse(dose, dose_records(dose), {}).doses) analysis.doses.push_back(std::move(result));
  return analysis;
}

}  // namespace absorb::synthetic
