#include "training/data/text/documents.h"

#include "tests/training/data/data_fixture.h"

namespace absorb {
namespace {

using Texts = std::vector<std::string>;

Texts read_all(const std::string& path, const DocumentRules& rules, std::size_t* pieces = nullptr) {
  Texts texts;
  bool open = false;
  read_documents(path, rules, [&](const Piece& piece) {
    EXPECT_EQ(piece.first, !open);
    if (piece.first) texts.emplace_back();
    texts.back() += piece.text;
    open = !piece.last;
    if (pieces != nullptr) ++*pieces;
  });
  EXPECT_FALSE(open);
  return texts;
}

class TrainingDocuments : public DataFixture {};

TEST_F(TrainingDocuments, BlankLinesSeparate) {
  const auto path = put("a.txt", "\n\n  one\ntwo\n \t\n\nthree\n\n\nfour \n\n");
  EXPECT_EQ(read_all(path, {}), (Texts{"  one\ntwo", "three", "four"}));
  EXPECT_EQ(read_all(put("b.txt", "one\r\n\r\ntwo\r\n"), {}), (Texts{"one", "two"}));
  EXPECT_TRUE(read_all(put("c.txt", " \n\n \n"), {}).empty());
  EXPECT_TRUE(read_all(put("d.txt", ""), {}).empty());
}

TEST_F(TrainingDocuments, WholeIsTheFileAsItIs) {
  EXPECT_EQ(read_all(put("a.txt", "\n\none\n\ntwo\n"), {"whole", ""}), (Texts{"\n\none\n\ntwo\n"}));
  EXPECT_TRUE(read_all(put("b.txt", ""), {"whole", ""}).empty());
}

TEST_F(TrainingDocuments, ARegularExpressionMatchesTheStart) {
  const auto path = put("a.txt", "head\n= One =\nx\n= Two =\n\ny = z\n= Three =");
  EXPECT_EQ(read_all(path, {"^= \\w+ =$", ""}), (Texts{"head", "= One =\nx", "= Two =\n\ny = z", "= Three ="}));
}

TEST_F(TrainingDocuments, TheSameGroupGoesOn) {
  const auto path = put("a.txt", "cat \\c\\ n.\n\ncat \\c\\ v.\n\ndog \\d\\ n.\n\ncat \\c\\ a.");
  EXPECT_EQ(read_all(path, {R"(^(\S+) \\)", ""}),
            (Texts{"cat \\c\\ n.\n\ncat \\c\\ v.", "dog \\d\\ n.", "cat \\c\\ a."}));
}

TEST_F(TrainingDocuments, StripCutsMatchesAndDropsWhatIsEmptied) {
  const auto path = put("a.txt", "licence\n\none [src]\ntwo [src]\n\nthree");
  EXPECT_EQ(read_all(path, {"blank_lines", R"(\Alicence| *\[src\])"}), (Texts{"one\ntwo", "three"}));
  EXPECT_EQ(read_all(path, {"whole", "x*"}), (Texts{"licence\n\none [src]\ntwo [src]\n\nthree"}));
}

// Windows are 1 MiB: documents, starts and blank lines must survive a cut at any place.
TEST_F(TrainingDocuments, WindowsAreInvisible) {
  Texts expected;
  std::string text;
  for (int i = 0; text.size() < 5'000'000; ++i) {
    expected.push_back("= " + std::to_string(i) + " =\n" +
                       std::string(static_cast<std::size_t>(i * 7919 % 50'000), 'x'));
    text += expected.back() + std::string(static_cast<std::size_t>(2 + i % 5), '\n');
    while (expected.back().back() == '\n') expected.back().pop_back();
  }
  const auto path = put("a.txt", text);
  EXPECT_EQ(read_all(path, {"^= [0-9]+ =$", ""}), expected);
  EXPECT_EQ(read_all(path, {}), expected);
  EXPECT_EQ(read_all(put_packed("a.txt.gz", text), {}), expected);
  for (std::size_t before = (1 << 20) - 4; before <= 1 << 20; ++before) {
    text.assign(before, 'x');
    text += "\n\n\ny";
    EXPECT_EQ(read_all(put("b.txt", text), {}).size(), 2u) << before;
  }
}

// What was handed over is still there to look back at.
TEST_F(TrainingDocuments, PiecesKeepWhatAStartLooksBackAt) {
  for (std::size_t before = (2 << 20) - 4; before <= 2 << 20; ++before) {
    std::string text(before, 'x');
    text[before - 1] = '\n';
    text += "= X\ny";
    const auto path = put("a.txt", text);
    EXPECT_EQ(read_all(path, {"(?<=\n)= X", ""}).size(), 2u) << before;
    EXPECT_EQ(read_all(path, {"\\A= X", ""}).size(), 1u) << before;
  }
}

TEST_F(TrainingDocuments, LongDocumentsArriveInPieces) {
  std::string text;
  while (text.size() < 20'000'000) text += "a line of a very long document\n";
  const auto path = put("a.txt", text);
  for (const char* rule : {"whole", "^= "}) {
    std::size_t pieces = 0;
    Texts texts = read_all(path, {rule, ""}, &pieces);
    ASSERT_EQ(texts.size(), 1u);
    texts[0].resize(text.size(), '\n');  // the last line's end is white space between documents
    EXPECT_TRUE(texts[0] == text);
    EXPECT_GE(pieces, 4u);
  }
}

TEST_F(TrainingDocuments, JsonLines) {
  const std::string lines =
      "{\"text\": \"one\\n\\ntwo\", \"id\": 1}\n\n{\"id\": 2, \"text\": \"\\u00e9\"}\r\n{\"text\": \"\"}";
  EXPECT_EQ(read_all(put("a.jsonl", lines), {}), (Texts{"one\n\ntwo", "\u00e9"}));
  EXPECT_EQ(read_all(put_packed("a.jsonl.gz", lines), {}), (Texts{"one\n\ntwo", "\u00e9"}));
}

TEST_F(TrainingDocuments, BadJsonLinesNameFileAndLine) {
  const auto fails = [&](const std::string& line) {
    const auto path = put("a.jsonl", "{\"text\": \"fine\"}\n" + line + "\n");
    return complaint([&] { read_all(path, {}); });
  };
  EXPECT_TRUE(contains(fails("{\"text\": \"\xff\"}"), "a.jsonl:2: invalid UTF-8")) << fails("{\"text\": \"\xff\"}");
  EXPECT_TRUE(contains(fails("{\"text\": \"\xc3\"}"), "a.jsonl:2: invalid UTF-8"));
  EXPECT_TRUE(contains(fails("{\"text\": \"x\""), "a.jsonl:2: no JSON object"));
  EXPECT_TRUE(contains(fails("{\"body\": \"x\"}"), "a.jsonl:2: no JSON object with a string `text`"));
  EXPECT_TRUE(contains(fails("{\"text\": 3}"), "a.jsonl:2"));
  EXPECT_TRUE(contains(fails("[1]"), "a.jsonl:2"));
  EXPECT_TRUE(contains(fails("{\"text\": \"x\", \"n\": 1e400}"), "a.jsonl:2: no JSON object"));
  EXPECT_EQ(fails("{\"text\": \"a\\u0000b\"}"), "");
}

TEST_F(TrainingDocuments, AnyBytesAreTextAndAnyFieldHoldsIt) {
  const std::string zero("ab\n\nc\0d", 7);
  EXPECT_EQ(read_all(put("a.txt", zero), {}), (Texts{"ab", std::string("c\0d", 3)}));
  DocumentRules body;
  body.text_field = "body";
  EXPECT_EQ(read_all(put("b.jsonl", "{\"body\": \"one\"}\n{\"text\": \"no\", \"body\": \"two\"}\n"), body),
            (Texts{"one", "two"}));
}

TEST_F(TrainingDocuments, WhatIsNoTextIsRefused) {
  const auto wide = put("a.txt", std::string("\xff\xfe"
                                             "a\0b\0",
                                             6));
  EXPECT_TRUE(contains(complaint([&] { read_all(wide, {}); }), "a.txt is UTF-16"));
  const auto plain = put("c.txt.gz", "not packed");
  EXPECT_TRUE(contains(complaint([&] { read_all(plain, {}); }), "is no gzip file"));
  std::string noise;
  for (unsigned i = 0; i < 200'000; ++i) noise += static_cast<char>('a' + (i * 2654435761u >> 13) % 26);
  const std::string packed = read_file(put_packed("d.txt.gz", noise));
  const auto cut = put("d.txt.gz", std::string_view(packed).substr(0, packed.size() / 2));
  EXPECT_TRUE(contains(complaint([&] { read_all(cut, {}); }), "d.txt.gz is cut short"));
  EXPECT_TRUE(contains(complaint([&] { read_all((folder_ / "none.txt").string(), {}); }), "none.txt"));
}

TEST_F(TrainingDocuments, BadRegularExpressionsAreShown) {
  const auto path = put("a.txt", "x");
  EXPECT_TRUE(contains(complaint([&] { read_all(path, {"(x", ""}); }), "data.documents = '(x'"));
  EXPECT_TRUE(contains(complaint([&] { read_all(path, {"whole", "[x"}); }), "data.strip = '[x'"));
}

}  // namespace
}  // namespace absorb
