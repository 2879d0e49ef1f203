#include "core/text/toml.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/error.h"
#include "core/settings.h"

namespace absorb {
namespace {

// Equal values of equal types: a JSON library takes 1 and 1.0, and 0.0 and -0.0, for the same, and NaN for another.
bool same(const Json& a, const Json& b) {
  if (a.is_object() && b.is_object()) {
    if (a.size() != b.size()) return false;
    for (const auto& [key, value] : a.items())
      if (!b.contains(key) || !same(value, b[key])) return false;
    return true;
  }
  if (a.is_array() && b.is_array()) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!same(a[i], b[i])) return false;
    return true;
  }
  if (a.is_number_float() != b.is_number_float()) return false;
  if (!a.is_number_float()) return a == b;
  const double x = a.get<double>(), y = b.get<double>();
  return std::isnan(x) ? std::isnan(y) : x == y && std::signbit(x) == std::signbit(y);
}

void expect_back(const Json& table) {
  const std::string text = to_toml(table);
  Json back;
  try {
    back = Settings::from_text(text, "text").value();
  } catch (const UserError& error) {
    FAIL() << error.what() << "\nin\n" << text << "\nof " << table.dump();
  }
  ASSERT_TRUE(same(table, back)) << text << "\nof   " << table.dump() << "\nread " << back.dump();
}

// Trees of every legal value, small ones mostly.
class Trees {
 public:
  explicit Trees(unsigned seed) : random_(seed) {}

  Json table(int depth) {
    Json out = Json::object();
    for (std::size_t i = below(5); i > 0; --i) out[text()] = value(depth);
    return out;
  }

 private:
  std::size_t below(std::size_t count) { return random_() % count; }

  std::string text() {
    static const std::vector<std::string> pieces = {"a",
                                                    "B-c_9",
                                                    "0.10000000000000001",
                                                    " = ",
                                                    "\n",
                                                    "\r",
                                                    "\t",
                                                    "\"",
                                                    "\"\"\"",
                                                    "'",
                                                    "'''",
                                                    "\\",
                                                    "\\n",
                                                    "#",
                                                    ".",
                                                    "[",
                                                    "]",
                                                    "{",
                                                    "}",
                                                    ",",
                                                    "\x01",
                                                    "\b",
                                                    "\f",
                                                    "\x1f",
                                                    "\x7f",
                                                    "\u00e4",
                                                    "\u4e2d",
                                                    "\U0001f600",
                                                    "\u0085",
                                                    "\u2028",
                                                    "\ufeff",
                                                    "true",
                                                    "1e5",
                                                    ""};
    std::string out;
    for (std::size_t i = below(4); i > 0; --i) out += pieces[below(pieces.size())];
    if (below(40) == 0) out += std::string(1, '\0');
    return out;
  }

  double number() {
    static const std::vector<double> known = {
        0.1,   1e-7,     1e22,      5e-324, 1.7976931348623157e308, -0.0,   0, 100, 1e16,
        -1e-5, INFINITY, -INFINITY, NAN,    9007199254740993.0,     1.0 / 3};
    if (below(3) > 0) return known[below(known.size())];
    return std::bit_cast<double>(random_());
  }

  Json value(int depth) {
    switch (below(depth > 0 ? 8 : 5)) {
      case 0:
        return text();
      case 1:
        return number();
      case 2:
        return static_cast<int64_t>(random_());
      case 3:
        return static_cast<int64_t>(below(20)) - 10;
      case 4:
        return below(2) == 0;
      case 5:
        return table(depth - 1);
      case 6:
        return tables(depth);
      default:
        return mixed(depth);
    }
  }
  Json tables(int depth) {
    Json out = Json::array();
    for (std::size_t i = below(4); i > 0; --i) out.push_back(table(depth - 1));
    return out;
  }
  Json mixed(int depth) {
    Json out = Json::array();
    for (std::size_t i = below(below(8) == 0 ? 60 : 4); i > 0; --i) out.push_back(value(depth - 1));
    return out;
  }
  std::mt19937_64 random_;
};

TEST(CoreToml, WhateverIsLegalReadsBack) {
  for (unsigned seed = 0; seed < 4000; ++seed) {
    expect_back(Trees(seed).table(4));
    if (HasFatalFailure()) return;
  }
}

TEST(CoreToml, StringsThatLookLikeNumbersStay) {
  expect_back({{"path", "runs, 0.10000000000000001, x"},
               {"note", "\n a leading newline"},
               {"n", {{"x", "3.000000000000000"}}}});
  expect_back({{"documents", "[0.30000000000000004, 2]"}, {"list", {"0.30000000000000004", "b"}}});
}

TEST(CoreToml, NumbersAreShort) {
  EXPECT_EQ(to_toml({{"a", 0.1}, {"b", 1e-7}, {"c", 3.0}, {"d", 3}, {"e", {1, 2.5}}}),
            "a = 0.1\nb = 1e-07\nc = 3.0\nd = 3\ne = [ 1, 2.5 ]\n");
}

TEST(CoreToml, TablesStandBelowWhatTheyBelongTo) {
  EXPECT_EQ(
      to_toml({{"z", 1},
               {"arm", {{{"name", "a"}, {"routing", {{"frozen", true}}}}, Json::object()}},
               {"empty", Json::object()},
               {"routing", {{"moe", {{"k", 2}}}}},
               {"nothing", nullptr}}),
      "z = 1\n\n[[arm]]\nname = 'a'\n\n[arm.routing]\nfrozen = true\n\n[[arm]]\n\n[empty]\n\n[routing.moe]\nk = 2\n");
}

TEST(CoreToml, WhatTomlCannotHoldIsOurMistake) {
  EXPECT_THROW(to_toml({{"a", {1, nullptr}}}), InternalError);
  EXPECT_THROW(to_toml({{"a", std::numeric_limits<uint64_t>::max()}}), InternalError);
}

TEST(CoreToml, AnAssignmentIsOneValue) {
  EXPECT_EQ(Settings::from_assignment("a=1\nb = 2").value(), Json({{"a", "1\nb = 2"}}));
  EXPECT_EQ(Settings::from_assignment("a=x\x7f").value(), Json({{"a", "x\x7f"}}));
  EXPECT_THROW(Settings::from_assignment("a=\xff"), UserError);
  EXPECT_EQ(Settings::from_assignment("a=\x01\"").value(), Json({{"a", "\x01\""}}));
}

}  // namespace
}  // namespace absorb
