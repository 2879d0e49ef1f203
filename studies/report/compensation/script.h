// The one script of the page: it hides and shows edges as the slider says. The page's policy allows it by its hash and
// nothing else, so the two constants change together; tests/studies/report/compensation_report_test.cpp computes the
// hash and says what it ought to be.
#pragma once

namespace absorb::report {

/// A slider names its graph in data-graph; what can be hidden says in data-share how strong it is, in percent of the
/// strongest. The page holds everything without it: edges below the slider's first place have the class "weak".
inline constexpr const char* slider_script = R"js(
document.querySelectorAll("input[data-graph]").forEach(slider => {
  const graph = document.getElementById(slider.dataset.graph);
  const output = slider.parentElement.querySelector("output");
  const update = () => {
    output.textContent = slider.value;
    graph.querySelectorAll("[data-share]").forEach(edge =>
      edge.classList.toggle("weak", +edge.dataset.share < +slider.value));
  };
  slider.addEventListener("input", update);
  slider.closest("p").hidden = false;
  update();
});
)js";
inline constexpr const char* slider_script_hash = "sha256-7SShg3D4LGjEK6hkglrbNmHav1x1YgMS68vZAeot4C4=";

}  // namespace absorb::report
