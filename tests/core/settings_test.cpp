#include "core/settings.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/registry.h"

namespace absorb {
namespace {

struct Inner {
  int64_t rank = 4;
};
void fields(Fields& list, Inner& s) {
  list.field("rank", s.rank, {1, 64}, "A rank.");
}

struct Outer {
  double rate = 0.5;
  bool on = false;
  std::string mode = "a";
  Inner inner;
};
void fields(Fields& list, Outer& s) {
  list.field("rate", s.rate, {0, 1}, "A rate.");
  list.field("on", s.on, "A switch.");
  list.field("mode", s.mode, {"a", "b"}, "A mode.");
  nested(list, "inner", s.inner, "A table.");
}

std::string error_of(const std::string& toml) {
  try {
    read_settings<Outer>(Settings::from_text(toml, "file.toml"));
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(CoreSettings, ReadsAndWritesEveryField) {
  const Outer s =
      read_settings<Outer>(Settings::from_text("rate = 1\non = true\nmode = \"b\"\n[inner]\nrank = 8", "t"));
  EXPECT_EQ(s.rate, 1);
  EXPECT_TRUE(s.on);
  EXPECT_EQ(s.mode, "b");
  EXPECT_EQ(s.inner.rank, 8);
  const Json again = write_settings(read_settings<Outer>(Settings::from_json(write_settings(s), "again")));
  EXPECT_EQ(again, write_settings(s));
}

TEST(CoreSettings, ErrorsSayWhereWhatAndWhatIsNear) {
  EXPECT_EQ(error_of("on = true\n  raet = 0.1"), "file.toml:2:3: unknown key `raet`; did you mean `rate`?");
  EXPECT_NE(error_of("[inner]\nrnak = 1").find("file.toml:2:1: unknown key `rnak`; did you mean `rank`?"),
            std::string::npos);
  EXPECT_NE(error_of("rate = \"fast\"").find("file.toml:1:1: `rate` must be a number but got \"fast\""),
            std::string::npos);
  EXPECT_NE(error_of("rate = 1.5").find("must be in [0, 1] but got 1.5"), std::string::npos);
  EXPECT_NE(error_of("mode = \"c\"").find("must be one of a, b but got \"c\""), std::string::npos);
  EXPECT_NE(error_of("inner = 3").find("`inner` must be a table"), std::string::npos);
  EXPECT_NE(error_of("rate = = 1").find("file.toml:1:"), std::string::npos);
}

TEST(CoreSettings, TablesMergeArraysReplaceAndAnotherTypeReplaces) {
  Settings base = Settings::from_text("a = [1, 2]\n[t]\nx = 1\ny = 2\n[r]\ntype = \"one\"\nk = 3", "base");
  base.merge(Settings::from_text("a = [3]\n[t]\ny = 5\n[r]\ntype = \"two\"", "over"));
  EXPECT_EQ(base.value(), Json::parse(R"({"a": [3], "t": {"x": 1, "y": 5}, "r": {"type": "two"}})"));
  EXPECT_EQ(base.table("t").where("y"), "over:3:1");
  EXPECT_EQ(base.table("t").where("x"), "base:3:1");
  base.merge(Settings::from_text("[r]\ntype = \"two\"\nk = 1", "third"));
  EXPECT_EQ(base.value()["r"], Json::parse(R"({"type": "two", "k": 1})"));
}

TEST(CoreSettings, AssignmentsTakeTomlOrText) {
  EXPECT_EQ(Settings::from_assignment("a.b=3").value(), Json::parse(R"({"a": {"b": 3}})"));
  EXPECT_EQ(Settings::from_assignment("a.b=[1, 2]").value(), Json::parse(R"({"a": {"b": [1, 2]}})"));
  EXPECT_EQ(Settings::from_assignment("a=some words").value(), Json::parse(R"({"a": "some words"})"));
  EXPECT_THROW(Settings::from_assignment("a"), UserError);
}

TEST(CoreSettings, TomlGoesRoundTrip) {
  const Settings s = Settings::from_text("a = [1, 2]\nb = \"x\\\"y\"\n[t]\nx = 1.5\n[[u]]\nv = true", "t");
  EXPECT_EQ(Settings::from_text(s.toml(), "again").value(), s.value());
}

struct Thing {
  int64_t rank;
};

TEST(CoreRegistry, NamesWhatItKnows) {
  Registry<Thing> things("thing");
  things.add<Inner>("first", "the first", [](const Inner& s) { return std::make_shared<Thing>(Thing{s.rank}); });
  EXPECT_EQ(things.make(things.resolve(Settings::from_text("type = \"first\"\nrank = 9", "t")))->rank, 9);
  EXPECT_EQ(things.resolve(Settings::from_text("type = \"first\"", "t")).table.value()["rank"], 4);
  const auto refused = [&](const std::string& toml) -> std::string {
    try {
      things.resolve(Settings::from_text(toml, "t"));
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refused("type = \"fisrt\""), "t:1:1: unknown thing \"fisrt\" (did you mean \"first\"?); known: first");
  EXPECT_NE(refused("type = \"first\"\nrnak = 2").find("t:2:1: unknown key `rnak`"), std::string::npos);
  EXPECT_THROW(things.add<Inner>("first", "again", nullptr), InternalError);
}

}  // namespace
}  // namespace absorb
