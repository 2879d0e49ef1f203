// What the readers of core/ make of bytes that nobody meant for them: one line, whatever it is.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <torch/types.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "core/settings.h"
#include "core/text/json.h"
#include "core/text/toml.h"

namespace absorb {
namespace {

class CoreReliability : public testing::Test {
 protected:
  CoreReliability() {
    std::string name = (std::filesystem::temp_directory_path() / "absorb-reliability-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  ~CoreReliability() override { std::filesystem::remove_all(folder); }

  template <class Read>
  static std::string complaint(const Read& read) {
    try {
      read();
    } catch (const UserError& error) {
      const std::string what = error.what();
      EXPECT_EQ(what.find('\n'), std::string::npos) << what;
      EXPECT_LT(what.size(), 8100U);
      return what;
    }
    return "";
  }
  void expect_refused(const std::string& header, const std::string& words) const {
    const Path file = folder / "x.safetensors";
    std::string bytes(8, '\0');
    const uint64_t length = header.size();
    std::memcpy(bytes.data(), &length, 8);
    write_file(file, bytes + header + std::string(16, '\x01'));
    const std::string found = complaint([&] { read_safetensors(file); });
    EXPECT_NE(found.find(words), std::string::npos) << header << ": " << found;
    EXPECT_NE(found.find("x.safetensors"), std::string::npos) << found;
  }
  Path folder;
};

TEST(OneLine, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(one_line("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(one_line("\x1b[31mred\x7f"), "\\x1b[31mred\\x7f");
  EXPECT_EQ(one_line(std::string("nul\0here", 8)), "nul\\x00here");
  EXPECT_EQ(one_line("h\xc3\xa4 \xe2\x86\x92 \xf0\x9f\x99\x82"), "h\xc3\xa4 \xe2\x86\x92 \xf0\x9f\x99\x82");
  EXPECT_EQ(one_line("\xff\xc0\xaf \xed\xa0\x80"), "\\xff\\xc0\\xaf \\xed\\xa0\\x80");  // no UTF-8, overlong, surrogate
  EXPECT_EQ(one_line("\xe2\x80\xae txt"), "\\u202e txt");                               // right to left
  EXPECT_EQ(one_line("\xc2\x9b"), "\\x9b");                                             // a C1 control
}

TEST(OneLine, LeavesOutTheMiddleOfAMegabyte) {
  std::string text;
  for (int i = 0; i < 500'000; ++i) text += "\xc3\xa4";
  const std::string line = one_line(text);
  EXPECT_LT(line.size(), 2000U);
  EXPECT_NE(line.find("bytes left out"), std::string::npos);
  EXPECT_EQ(first_bad_utf8(line), std::string::npos);
}

TEST(OneLine, IsWhatEveryUserErrorSays) {
  EXPECT_STREQ(UserError("two\nlines").what(), "two\\nlines");
}

TEST_F(CoreReliability, OnlyRegularFilesAreRead) {
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink("loop", folder / "loop");
  const auto read = [](const Path& path) { return complaint([&] { read_file(path); }); };
  const auto map = [](const Path& path) { return complaint([&] { MappedFile file(path); }); };
  for (const auto& open :
       {std::function<std::string(const Path&)>(read), std::function<std::string(const Path&)>(map)}) {
    EXPECT_NE(open(folder / "fifo").find("is no regular file"), std::string::npos) << open(folder / "fifo");
    EXPECT_NE(open("/dev/zero").find("is no regular file"), std::string::npos);
    EXPECT_NE(open(folder).find("is a folder"), std::string::npos);
    EXPECT_NE(open(folder / "loop").find("symbolic links"), std::string::npos) << open(folder / "loop");
    EXPECT_NE(open(std::string(5000, 'x')).find("too long"), std::string::npos);
    EXPECT_NE(open("").find("can't read \"\""), std::string::npos) << open("");
    EXPECT_NE(open("n\xff\xfe").find("n\\xff\\xfe"), std::string::npos);
  }
}

TEST_F(CoreReliability, AFileLargerThanItsKindIsRefusedBeforeItIsRead) {
  write_file(folder / "large", "x");
  std::filesystem::resize_file(folder / "large", uint64_t{1} << 40);  // with a hole
  EXPECT_NE(complaint([&] { read_file(folder / "large"); }).find("more than 1024 MiB"), std::string::npos);
}

TEST_F(CoreReliability, AMappedFileThatChangesIsNoticed) {
  write_file(folder / "a", std::string(10, 'a'));
  const MappedFile map(folder / "a");
  EXPECT_NO_THROW(map.require_unchanged());
  write_file(folder / "a", std::string(10, 'b'));
  EXPECT_NE(complaint([&] { map.require_unchanged(); }).find("changed while it was in use"), std::string::npos);
}

TEST_F(CoreReliability, AMappedFileThatShrinksEndsInOneLineRatherThanABusError) {
  write_file(folder / "a", std::string(1 << 20, 'a'));
  EXPECT_EXIT(
      {
        const MappedFile map(folder / "a");
        std::filesystem::resize_file(folder / "a", 0);
        volatile char last = map.text()[(1 << 20) - 1];
        (void)last;
      },
      testing::ExitedWithCode(2), "absorb: .*/a shrank");
}

TEST_F(CoreReliability, HeadersOfSafetensors) {
  const auto tensor = [](const std::string& shape, const std::string& offsets) {
    return R"({"w":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  expect_refused("[]", "is no JSON");
  expect_refused("{", "is no JSON");
  expect_refused(R"({"w":{}})", "is damaged: what it says of `w`");
  expect_refused(R"({"w":7})", "is damaged");
  expect_refused(R"({"w":{"dtype":"F99","shape":[4],"data_offsets":[0,16]}})", "type F99 can't be read");
  expect_refused(tensor("[-4]", "[0,16]"), "is damaged");
  expect_refused(tensor("[1e400]", "[0,16]"), "is no JSON");
  expect_refused(tensor("[4]", R"(["0","16"])"), "is damaged");
  expect_refused(tensor("[4]", "[0]"), "is damaged");
  expect_refused(tensor("[4]", "[16,0]"), "is damaged");
  expect_refused(tensor("[4]", "[0,1000]"), "truncated: w ends at byte 1000 of 16");
  expect_refused(tensor("[4611686018427387904,4]", "[0,16]"), "is damaged");  // wraps around to 0 bytes
  expect_refused(tensor("[3]", "[0,16]"), "another size than its shape says");
  expect_refused(std::string(200, '[') + std::string(200, ']'), "is no JSON");
}

TEST(Toml, WhatTheParserWouldDieOf) {
  const auto read = [](const std::string& text) {
    try {
      Settings::from_text(text, "t");
    } catch (const UserError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  for (const std::string& text :
       {std::string("["), std::string("[\0", 2), std::string("[,"), std::string("[#"), std::string("\xff\xfe[\0", 4),
        std::string("a = \x01"), "a = " + std::string(60'000, '7'), std::string(200'000, '['),
        "a = " + std::string(100'000, '['), "a = " + std::string(100'000, '{'),
        // What toml++ takes for a word that goes on over the quote, into letters that its tables don't hold.
        std::string("a = 1 = \"\u00f7\""), std::string("a = 1{\"\u00f7\""), std::string("a = 1[\"\u00f7\""),
        std::string("{\"\u00f7\""), std::string("a = \"\"\"\\\u00f7\"\"\""),
        std::string("a = \"\"\"\\\n  \u00f7\"\"\""), std::string("a = \"\\\u00f7\"")}) {
    const std::string found = read(text);
    EXPECT_FALSE(found.empty()) << text.substr(0, 20);
    EXPECT_EQ(found.find('\n'), std::string::npos);
    EXPECT_TRUE(found.starts_with("t:")) << found;
  }
  std::string key = "a";
  for (int i = 0; i < 30'000; ++i) key += ".a";
  EXPECT_NE(read(key + " = 1").find("a key of more than 64 parts"), std::string::npos);
  EXPECT_NE(read("[" + key + "]").find("a key of more than 64 parts"), std::string::npos);
  // What is legal stays so.
  EXPECT_EQ(read("a = '''\n[[[[ \" # ''''\nb = \"\\\"[\" # ]]]\nc = [1.5, 2.5,\n3.5]\n\"x.y\".z = 1e308\n"), "");
  EXPECT_EQ(
      read("a = [ # b = 1\n  [1, 2], { b.c = '=', d = { e = [] } }, # {\n  \"=\"\n]\r\n[[ 'f' . g ]]\r\nh = \"x=y\"\n"),
      "");
}

TEST(Toml, KeysOfSetMayBeQuoted) {
  const auto value = [](const std::string& text) { return Settings::from_assignment(text).value(); };
  EXPECT_EQ(value("training.rates.\"*x.y*\"=1"), Json({{"training", {{"rates", {{"*x.y*", 1}}}}}}));
  EXPECT_EQ(value("training.rates.*router*=2"), Json({{"training", {{"rates", {{"*router*", 2}}}}}}));
  EXPECT_EQ(value("a.'b=c'=3"), Json({{"a", {{"b=c", 3}}}}));
  EXPECT_EQ(value("study.note=two\nlines"), Json({{"study", {{"note", "two\nlines"}}}}));
  EXPECT_EQ(value("study.question=Gr\xc3\xb6\xc3\x9f"), Json({{"study", {{"question", "Gr\xc3\xb6\xc3\x9f"}}}}));
  EXPECT_THROW(value("#\"=1"), UserError);
  EXPECT_THROW(value("a=\xff"), UserError);
}

TEST(Json, IsReadNoDeeperThanAWalkCanGo) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_FALSE(parse_json(nested(deepest_json)).is_discarded());
  EXPECT_TRUE(parse_json(nested(deepest_json + 2)).is_discarded());
  EXPECT_TRUE(parse_json(nested(1'000'000)).is_discarded());
  EXPECT_TRUE(parse_json("1e400").is_discarded());
  EXPECT_TRUE(parse_json("{\"a\":").is_discarded());
}

}  // namespace
}  // namespace absorb
