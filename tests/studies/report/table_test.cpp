#include "studies/report/text/table.h"

#include <gtest/gtest.h>

#include <sstream>

#include "studies/report/text/text_table.h"
#include "tests/studies/synthetic.h"

namespace absorb {
namespace {

std::string expected(const std::string& name) {
  return read_file(Path(ABSORB_SOURCE_DIR) / "tests" / "studies" / "expected" / name);
}

void expect_plain_and_narrow(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), table_width) << line;
    for (const char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;
  }
}

TEST(StudiesTable, FinishedStudy) {
  const Study study = synthetic::small_study();
  const std::vector<RunRecord> records = synthetic::small_records();
  const std::string text = print_table(study, records, analyse(study, records, {"routing gap"}));
  EXPECT_EQ(text, expected("finished.txt"));
  expect_plain_and_narrow(text);
}

TEST(StudiesTable, StudyUnderWay) {
  Study study = synthetic::small_study();
  study.settings.note = "demonstration";
  std::vector<RunRecord> records = synthetic::small_records(3);
  records[3].state = "failed";
  records[3].failure = "the loss is NaN at step 17";
  records[7].state = "running";
  for (RunRecord& run : records) run.evaluations.erase("swap");
  const std::string text = print_table(study, records, analyse(study, records, {}));
  EXPECT_EQ(text, expected("under_way.txt"));
  expect_plain_and_narrow(text);
}

TEST(StudiesTable, LongNamesAndCellsStayWithinTheWidth) {
  Study study = synthetic::rich_study();
  study.arms[0].name = "learned_with_a_name_that_goes_on_and_on_for_a_long_while";
  for (ContrastSpec& spec : study.contrasts)
    if (spec.treatment == "learned") spec.treatment = study.arms[0].name;
  std::vector<RunRecord> records = synthetic::rich_records();
  for (RunRecord& run : records) {
    if (run.arm == "learned") run.arm = study.arms[0].name;
    run.cell = {{"routing.router.rank", "16"}, {"routing.attention.noise", "0.125"}};
  }
  TwoByTwo both = synthetic::rich_square();
  both.ll = study.arms[0].name;
  const std::string text = print_table(study, records, analyse(study, records, {"routing gap"}, both));
  expect_plain_and_narrow(text);
  EXPECT_NE(text.find("interaction"), std::string::npos);
}

TEST(StudiesTable, WrapsWordsAndCutsWhatIsLonger) {
  EXPECT_EQ(wrap_words("one two three", 7), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrap_words("abcdefgh", 3), (std::vector<std::string>{"abc", "def", "gh"}));
  EXPECT_EQ(wrapped("one two three", 9, "- ", "  "), "- one two\n  three\n");
}

}  // namespace
}  // namespace absorb
