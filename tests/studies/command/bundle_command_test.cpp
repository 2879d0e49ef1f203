// absorb pack, unpack and verify from the command line.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "studies/bundle/archive.h"
#include "studies/bundle/bundle.h"
#include "tests/studies/command/command_fixture.h"
#include "training/metrics.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

class StudyBundle : public testing::CommandTest {
 protected:
  Path finished() const {
    const auto trained = run(run_arguments(study("", "seeds = [1]", 20)));
    EXPECT_EQ(trained.status, 0) << trained.err;
    return folder / "runs/s";
  }
  testing::Result fine(const std::vector<std::string>& arguments) const {
    const auto result = run(arguments);
    EXPECT_EQ(result.status, 0) << result.err;
    return result;
  }
  void expect_one_line(const testing::Result& result, const std::string& words) const {
    EXPECT_EQ(result.status, 2) << result.out << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(words), std::string::npos) << "expected: " << words << "\ngot: " << result.err;
  }
  /// The bundle is refused, and nothing of it lies about.
  void refused(const Path& bundle, const std::string& words) const {
    const Path out = folder / "unpacked/s";
    expect_one_line(run({"unpack", bundle.string(), out.string()}), words);
    EXPECT_TRUE(!fs::exists(out.parent_path()) || fs::is_empty(out.parent_path())) << words;
    expect_one_line(run({"verify", bundle.string()}), words);
  }
  /// An archive with a bundle.json that lists `entries`, and these in it.
  Path archive(const std::map<std::string, std::string>& entries, int64_t format = folder_format) const {
    BundleRecord record;
    for (const auto& [name, content] : entries)
      record.files[name] = {static_cast<int64_t>(content.size()), hash_hex(content), {}};
    nlohmann::json first = nlohmann::json::parse(record_text(record));
    first["format"] = format;
    first.erase("checksum");
    const Path file = folder / "made.tar.zst";
    write_file(file, [&](int descriptor) {
      ArchiveWriter writer(descriptor, file);
      writer.add("bundle.json", first.dump());
      for (const auto& [name, content] : entries) writer.add(name, content);
      writer.finish();
    });
    return file;
  }
};

TEST_F(StudyBundle, HoldsTheStudyWithoutItsWeights) {
  const Path made = finished(), bundle = folder / "s.tar.zst", copy = folder / "other/s";
  const std::string results = read_file(made / "results.json");
  fine({"pack", made.string(), bundle.string()});
  fine({"pack", made.string(), (folder / "again.tar.zst").string()});
  EXPECT_EQ(read_file(bundle), read_file(folder / "again.tar.zst"));
  EXPECT_NE(fine({"verify", bundle.string()}).out.find("of 3 finished runs are as written"), std::string::npos);
  fine({"unpack", bundle.string(), copy.string()});
  EXPECT_FALSE(fs::exists(copy / "dense/seed-1/weights.safetensors"));
  EXPECT_LT(fs::file_size(copy / "dense/seed-1/metrics.jsonl"), fs::file_size(made / "dense/seed-1/metrics.jsonl"));
  fine({"report", copy.string()});
  EXPECT_EQ(read_file(copy / "results.json"), results);
  const auto verified = fine({"verify", copy.string()});
  EXPECT_NE(verified.out.find("left out of the bundle"), std::string::npos) << verified.out;
  expect_one_line(run({"unpack", bundle.string(), copy.string()}), "is there already");
  fine({"pack", made.string(), bundle.string(), "--weights", "--every", "1"});
  fine({"unpack", bundle.string(), (folder / "whole").string()});
  for (const char* name : {"weights.safetensors", "metrics.jsonl", "result.json", "files.json"})
    EXPECT_EQ(read_file(folder / "whole/dense/seed-1" / name), read_file(made / "dense/seed-1" / name)) << name;
}

TEST_F(StudyBundle, GoesOnWhereItIsUnpacked) {
  const Path made = finished(), bundle = folder / "s.tar.zst";
  fine({"pack", made.string(), bundle.string()});
  fine({"unpack", bundle.string(), (folder / "other/s").string()});
  const Path result = folder / "other/s/learned.attention/seed-1/result.json";
  const auto before = fs::last_write_time(result);
  fine(run_arguments(study("", "seeds = [1, 2]", 20), "other"));
  EXPECT_EQ(fs::last_write_time(result), before);
  EXPECT_TRUE(fs::exists(folder / "other/s/learned.attention/seed-2/weights.safetensors"));
  EXPECT_NE(fine({"status", (folder / "other/s").string()}).out.find("6 runs: 6 done"), std::string::npos);
  fine({"verify", (folder / "other/s").string()});
  const auto child =
      run(run_arguments(study("[[arm]]\nname = \"tuned\"\nfrom = \"learned\"\n", "seeds = [1]", 20), "other"));
  expect_one_line(child,
                  "training tuned.attention/seed-1 needs its weights, and this folder came from a bundle without");
  expect_one_line(run({"compensate", (folder / "other/s").string(), "--seed", "1", "--device", "cpu"}),
                  "measuring compensation needs its weights");
  const std::string soft = "[[deployment]]\nname = \"soft\"\nrouting.selection = { type = \"soft\" }\n";
  const auto deployed = run({"deploy", study(soft, "seeds = [1]", 20).string(), "--runs", (folder / "other").string()});
  expect_one_line(deployed, "needs its weights");
}

TEST_F(StudyBundle, IsRefusedWhereDamagedOrLater) {
  const Path made = finished(), bundle = folder / "s.tar.zst";
  fine({"pack", made.string(), bundle.string()});
  const std::string whole = read_file(bundle);
  write_file(bundle, whole.substr(0, whole.size() / 2));
  refused(bundle, "is damaged");
  std::string flipped = whole;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x20);
  write_file(bundle, flipped);
  refused(bundle, "is damaged");
  write_file(bundle, "no archive at all");
  refused(bundle, "is no bundle of absorb, or is damaged");
  refused(folder / "absent.tar.zst", "there is no such file");
  refused(archive({}, folder_format + 6),
          fmt::format("is of format {}, and this absorb reads formats 0 to {}", folder_format + 6, folder_format));
}

TEST_F(StudyBundle, WritesNowhereElse) {
  for (const char* name : {"../outside", "a/../../outside", "/tmp/absorb-outside", "./a/../b"})
    refused(archive({{name, "x"}}), "lies outside the folder");
  EXPECT_FALSE(fs::exists(folder / "outside"));
  // A link by hand: one header of an old tar. bundle.json comes first in every bundle, so this one fails at once.
  std::string header(512, '\0');
  header.replace(0, 4, "link");
  header.replace(100, 7, "0000777");
  header.replace(108, 7, "0000000");
  header.replace(116, 7, "0000000");
  header.replace(124, 11, "00000000000");
  header.replace(136, 11, "00000000000");
  header.replace(148, 8, "        ");
  header[156] = '2';
  header.replace(157, 11, "/etc/passwd");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  header.replace(148, 7, fmt::format("{:06o}", sum) + '\0');
  write_file(folder / "link.tar", header + std::string(1024, '\0'));
  refused(folder / "link.tar", "which is no plain file");
}

TEST_F(StudyBundle, VerifySeesWhatChanged) {
  const Path made = finished(), record = made / "random.attention/seed-1/result.json";
  EXPECT_NE(fine({"verify", made.string()}).out.find("of 3 finished runs are as written"), std::string::npos);
  std::string text = read_file(record);
  text[text.find("top_k") - 30] = '7';
  write_file(record, text);
  expect_one_line(run({"verify", made.string()}), "random.attention/seed-1/result.json: another checksum");
  fs::remove(made / "dense/seed-1/weights.safetensors");
  expect_one_line(run({"verify", made.string()}), "dense/seed-1/weights.safetensors: missing");
}

TEST_F(StudyBundle, ARunIsRepeatedToTheBit) {
  const Path made = finished(), bundle = folder / "s.tar.zst", copy = folder / "copy";
  const std::vector<std::string> again = {"verify",   made.string(), "--rerun", "learned.attention/seed-1",
                                          "--device", "cpu"};
  EXPECT_NE(fine(again).out.find("the same metrics and weights to the bit"), std::string::npos);
  fine({"pack", made.string(), bundle.string(), "--every", "3"});
  fine({"unpack", bundle.string(), copy.string()});
  EXPECT_NE(
      fine({"verify", copy.string(), "--rerun", "random.attention/seed-1", "--device", "cpu"}).out.find("to the bit"),
      std::string::npos);
  const Path metrics = made / "learned.attention/seed-1/metrics.jsonl";
  std::string text = read_file(metrics);
  const std::size_t digit = text.find("\"loss\":") + 9;
  text[digit] = text[digit] == '1' ? '2' : '1';
  write_file(metrics, text);
  const auto other = run(again);
  EXPECT_EQ(other.status, 3) << other.err;
  EXPECT_NE(other.err.find("metrics differ in line 1:"), std::string::npos) << other.err;
  expect_one_line(run({"verify", made.string(), "--rerun", "nobody/seed-1"}), "there is no run nobody/seed-1");
}

TEST(StudiesBundle, ThinsMetricsToARhythm) {
  std::string lines;
  for (int step = 1; step <= 7; ++step) {
    lines += fmt::format("{{\"step\":{},\"loss\":1}}\n", step);
    if (step == 5) lines += "{\"step\":5,\"val_loss\":2}\n";
  }
  EXPECT_EQ(thinned(lines, 1), lines);
  EXPECT_EQ(thinned(lines, 3),
            "{\"step\":1,\"loss\":1}\n{\"step\":3,\"loss\":1}\n{\"step\":5,\"loss\":1}\n{\"step\":5,\"val_loss\":2}\n"
            "{\"step\":6,\"loss\":1}\n{\"step\":7,\"loss\":1}\n");
}

}  // namespace
}  // namespace absorb
