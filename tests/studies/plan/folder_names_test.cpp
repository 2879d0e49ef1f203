#include "studies/plan/folder_names.h"

#include <set>

#include "core/error.h"
#include "studies/plan/plan.h"
#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

std::string name_of(const std::vector<std::string>& labels) {
  return folder_names({{"a.moe", labels}}, "here").front();
}

TEST(StudyFolderNames, PlainLabelsStayAsTheyAre) {
  EXPECT_EQ(name_of({}), "a.moe");
  EXPECT_EQ(name_of({"4"}), "a.moe.4");
  EXPECT_EQ(name_of({"0.5", "-1", "1e-05", "true", "low_rank", "Low-Rank"}),
            "a.moe.0.5.-1.1e-05.true.low_rank.Low-Rank");
}

TEST(StudyFolderNames, OthersAreEscaped) {
  EXPECT_EQ(name_of({"low rank"}), "a.moe.low%20rank");
  EXPECT_EQ(name_of({"h\u00e4"}), "a.moe.h%C3%A4");
  EXPECT_EQ(name_of({"../x%20"}), "a.moe...%2Fx%2520");
  EXPECT_EQ(name_of({""}), "a.moe.%");
  EXPECT_EQ(name_of({"%"}), "a.moe.%25");
}

TEST(StudyFolderNames, DotsThatCouldBeMistakenAreEscaped) {
  const auto names = folder_names({{"a", {"1", "5.5"}}, {"a", {"1.5", "5"}}, {"a", {"2.5", "3"}}}, "here");
  EXPECT_EQ(names, (std::vector<std::string>{"a.1.5%2E5", "a.1%2E5.5", "a.2.5.3"}));
}

// Over all pairs of labels made of what could be confused, no two cells share a folder.
TEST(StudyFolderNames, NoTwoCellsShareOne) {
  std::vector<std::string> labels = {""};
  for (const std::string piece : {".", "1", "%", "%2E", "_", " ", "2E"})
    for (std::size_t i = 0, known = labels.size(); i < known; ++i) labels.push_back(labels[i] + piece);
  const std::set<std::string> different(labels.begin(), labels.end());  // "%" and "2E" make one that is a piece, too
  std::vector<CellName> cells;
  for (const std::string& first : different)
    for (const std::string& second : different) cells.push_back({"a.moe", {first, second}});
  const auto names = folder_names(cells, "here");
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), cells.size());
}

TEST(StudyFolderNames, RunsOfOneCellShareTheirs) {
  EXPECT_EQ(folder_names({{"a", {"x"}}, {"a", {"x"}}}, "here"), (std::vector<std::string>{"a.x", "a.x"}));
}

TEST(StudyFolderNames, ANameThatNoFileSystemTakesIsRefused) {
  EXPECT_NO_THROW(name_of({std::string(249, 'x')}));
  EXPECT_THROW(name_of({std::string(250, 'x')}), UserError);
}

class StudyPlanFolders : public testing::CommandTest {
 protected:
  std::set<std::string> folders(const std::string& axes) const {
    std::set<std::string> out;
    for (const RunSpec& run : plan_runs(read_study(study(axes, "seeds = [1]")), folder / "runs").runs)
      EXPECT_TRUE(out.insert(run.folder.parent_path().filename().string()).second) << run.folder;
    return out;
  }
};

TEST_F(StudyPlanFolders, EveryCellHasItsOwn) {
  EXPECT_EQ(
      folders("[[axis]]\nkey = \"routing.router.rank\"\nvalues = [1, 2]\nlabels = [\"low rank\", \"low_rank\"]\n"),
      (std::set<std::string>{"dense", "learned.attention.low%20rank", "learned.attention.low_rank",
                             "random.attention.low%20rank", "random.attention.low_rank"}));
  const auto two = folders(
      "[[axis]]\nkey = \"training.learning_rate\"\nvalues = [1.0, 1.5]\nlabels = [\"1\", \"1.5\"]\n"
      "[[axis]]\nkey = \"training.weight_decay\"\nvalues = [5.5, 5.0]\nlabels = [\"5.5\", \"5\"]\n");
  EXPECT_EQ(two.size(), 12U);
  for (const char* name : {"dense.1%2E5.5", "dense.1.5%2E5", "learned.attention.1.5", "learned.attention.1.5.5.5"})
    EXPECT_TRUE(two.contains(name)) << name;
}

}  // namespace
}  // namespace absorb
