#include <nlohmann/json.hpp>
#include <thread>

#include "tests/training/data/data_fixture.h"
#include "training/data/tokens/token_file.h"
#include "training/data/tokens/write_tokens.h"

namespace absorb {
namespace {

class TrainingTokens : public DataFixture {
 protected:
  std::vector<int64_t> ids(const TokenFile& file) const {
    std::vector<int64_t> all(static_cast<std::size_t>(file.size()));
    file.copy(0, file.size(), all.data());
    return all;
  }
  std::size_t entries(const Path& folder) const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
  }
  TextSettings corpus(int documents) const {
    std::string text;
    for (int i = 0; i < documents; ++i) text += "document " + std::to_string(i) + "\n\n";
    TextSettings data;
    data.corpus = put("corpus.txt", text);
    data.valid_share = 0.2;
    data.test_share = 0.1;
    return data;
  }
};

using Ids = std::vector<int64_t>;

TEST_F(TrainingTokens, SeparateFilesBecomeBytesWithZerosBetween) {
  TextSettings data;
  data.train = put("t.txt", "ab\n\nc\xff");
  data.valid = put("v.jsonl", "{\"text\": \"d\"}");
  const auto result = write_tokens({data, folder_ / "out", nullptr});
  const TokenFile train(folder_ / "out/train.bin", {}), valid(folder_ / "out/valid.bin", {});
  EXPECT_EQ(ids(train), (Ids{'a', 'b', 0, 'c', 255, 0}));
  EXPECT_EQ(ids(valid), (Ids{'d', 0}));
  EXPECT_EQ(train.starts()[1], 3u);
  EXPECT_EQ(train.starts().size(), 2u);
  EXPECT_EQ(train.facts().vocabulary, 256);
  EXPECT_EQ(train.facts().text_bytes, 4);
  EXPECT_EQ(result[0].tokens, 6);
  EXPECT_EQ(result[0].hash, hash_hex(read_file(folder_ / "out/train.bin")));
  EXPECT_EQ(entries(folder_ / "out"), 6u);  // no test split, nothing left aside
  EXPECT_EQ(entries(folder_), 3u);
}

TEST_F(TrainingTokens, DocumentsAreDealtByTheirTextAlone) {
  TextSettings data = corpus(1000);
  const auto result = write_tokens({data, folder_ / "out", nullptr});
  EXPECT_EQ(result[0].documents + result[1].documents + result[2].documents, 1000);
  EXPECT_NEAR(static_cast<double>(result[1].documents), 200, 50);
  EXPECT_NEAR(static_cast<double>(result[2].documents), 100, 35);
  // Twice the corpus: each document goes where its twin went.
  data.corpus = put("twice.txt", read_file(data.corpus) + "\n\n" + read_file(data.corpus));
  const auto twice = write_tokens({data, folder_ / "twice", nullptr});
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(twice[i].documents, 2 * result[i].documents);
  data.split_salt = 1;
  EXPECT_NE(write_tokens({data, folder_ / "salted", nullptr})[1].hash, twice[1].hash);
}

TEST_F(TrainingTokens, ProgressReachesTheEnd) {
  std::uintmax_t done = 0, total = 0;
  const auto data = corpus(100);
  write_tokens({data, folder_ / "out", [&](std::uintmax_t d, std::uintmax_t t) {
                  EXPECT_GE(d, done);
                  done = d;
                  total = t;
                }});
  EXPECT_EQ(total, std::filesystem::file_size(data.corpus));
  EXPECT_EQ(done, total);
}

TEST_F(TrainingTokens, WhatCannotBeWrittenIsOneLineAndLeavesNothing) {
  TextSettings data = corpus(2);
  data.split_salt = 4;
  data.test_share = 1e-6;
  const auto fails = [&] { return complaint([&] { write_tokens({data, folder_ / "out", nullptr}); }); };
  EXPECT_TRUE(contains(fails(), "has 2 documents: none falls into")) << fails();
  data.corpus = put("empty.txt", "");
  EXPECT_TRUE(contains(fails(), "empty.txt holds no text")) << fails();
  data.corpus = (folder_ / "none.txt").string();
  EXPECT_TRUE(contains(fails(), "none.txt doesn't exist")) << fails();
  EXPECT_EQ(missing_files(data), std::vector<std::string>{data.corpus});
  data.corpus = put("bad.jsonl", "{\"text\": \"fine\"}\n{");
  EXPECT_TRUE(contains(fails(), "bad.jsonl:2")) << fails();
  data.corpus.clear();
  EXPECT_TRUE(contains(fails(), "set data.corpus")) << fails();
  data.train = put("t.txt", "x");
  data.valid = put("v.txt", "\n");
  EXPECT_TRUE(contains(fails(), "v.txt holds no text")) << fails();
  EXPECT_EQ(entries(folder_), 5u);  // the inputs
  data.valid = data.train;
  write_tokens({data, folder_ / "out", nullptr});
  EXPECT_TRUE(contains(fails(), "out is in use")) << fails();
}

TEST_F(TrainingTokens, TheCacheIsWrittenOnceAndFollowsContentAndSettings) {
  TextSettings data = corpus(100);
  const Path first = cached_tokens(data);
  EXPECT_EQ(first.parent_path(), folder_ / "tokens");
  const auto written = std::filesystem::last_write_time(first / "train.bin");
  EXPECT_EQ(cached_tokens(data), first);
  EXPECT_EQ(std::filesystem::last_write_time(first / "train.bin"), written);
  data.strip = "1";
  const Path stripped = cached_tokens(data);
  EXPECT_NE(stripped, first);
  data.strip.clear();
  put("corpus.txt", read_file(data.corpus) + "more\n");
  EXPECT_NE(cached_tokens(data), first);
  put("other.txt", "document 0\n");
  data.cache = (folder_ / "elsewhere").string();
  EXPECT_EQ(cached_tokens(data).parent_path(), folder_ / "elsewhere");
}

TEST_F(TrainingTokens, RacingWritersOfTheCacheAreHarmless) {
  const TextSettings data = corpus(5000);
  std::vector<std::thread> threads;
  std::vector<Path> folders(4);
  for (Path& folder : folders) threads.emplace_back([&] { folder = cached_tokens(data); });
  for (auto& thread : threads) thread.join();
  for (const Path& folder : folders) EXPECT_EQ(folder, folders[0]);
  EXPECT_EQ(entries(folders[0].parent_path()), 1u);
  EXPECT_EQ(TokenFile(folders[0] / "train.bin", {}).facts().hash, hash_hex(read_file(folders[0] / "train.bin")));
}

TEST_F(TrainingTokens, BareTokenFilesNeedAVocabulary) {
  const auto path = put_ids<uint16_t>("a.bin", {5, 1, 9, 1, 2});
  EXPECT_TRUE(contains(complaint([&] { TokenFile(path, {}); }), "data.vocabulary must state"));
  EXPECT_EQ(ids(TokenFile(path, {.vocabulary = 10})), (Ids{5, 1, 9, 1, 2}));
  const std::string beyond = complaint([&] { TokenFile(path, {.vocabulary = 9}); });
  EXPECT_TRUE(contains(beyond, "token 9 at position 2 is beyond the vocabulary of 9")) << beyond;
  const TokenFile file(path, {.vocabulary = 10, .end_of_document = 1});
  EXPECT_EQ(std::vector<uint64_t>(file.starts().begin(), file.starts().end()), (std::vector<uint64_t>{0, 2, 4}));
  EXPECT_EQ(TokenFile(path, {.vocabulary = 10}).facts().documents, 1);
}

TEST_F(TrainingTokens, WidthFollowsVocabularyOrSettings) {
  const auto path = put_ids<uint32_t>("a.bin", {70'000, 3});
  EXPECT_EQ(ids(TokenFile(path, {.vocabulary = 70'001})), (Ids{70'000, 3}));
  EXPECT_EQ(ids(TokenFile(path, {.vocabulary = 65'536, .dtype = "uint16"})), (Ids{70'000 - 65'536, 1, 3, 0}));
  EXPECT_TRUE(contains(complaint([&] { TokenFile(path, {.vocabulary = 70'000}); }), "token 70000 at position 0"));
}

TEST_F(TrainingTokens, DamagedTokenFilesAreNamed) {
  TextSettings data;
  data.train = data.valid = put("t.txt", "abc\n\ndef");
  write_tokens({data, folder_ / "out", nullptr});
  const Path path = folder_ / "out/train.bin";
  const std::string whole = read_file(path), index = read_file(folder_ / "out/train.idx");
  const auto fails = [&] { return complaint([&] { TokenFile(path, {}); }); };
  EXPECT_EQ(fails(), "");
  write_file(path, whole.substr(0, 6));
  EXPECT_TRUE(contains(fails(), "train.bin holds 3 tokens but")) << fails();
  write_file(path, whole.substr(0, 5));
  EXPECT_TRUE(contains(fails(), "no whole number")) << fails();
  write_file(path, "");
  EXPECT_TRUE(contains(fails(), "train.bin is empty")) << fails();
  write_file(path, whole);
  write_file(folder_ / "out/train.idx", index.substr(8));
  EXPECT_TRUE(contains(fails(), "train.idx doesn't belong to")) << fails();
  write_file(folder_ / "out/train.json", "{}");
  EXPECT_TRUE(contains(fails(), "train.json doesn't describe a token file")) << fails();
}

}  // namespace
}  // namespace absorb
