#include "training/data/tokeniser/huggingface.h"

#include <utf8proc.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/text/json.h"
#include "training/data/tokeniser/bpe.h"
#include "training/data/tokeniser/bpe_files.h"

namespace absorb {
namespace {

using Json = nlohmann::json;

/// One file, and how it is refused.
struct Source {
  Path file;
  [[noreturn]] void refuse(const std::string& what) const { user_error("{}: {} isn't read", shown(file), what); }
  /// `type` of a part that has one.
  std::string type(const Json& part) const {
    require(part.is_object() && part.contains("type") && part["type"].is_string(), "{}: a part without a `type`",
            shown(file));
    return part["type"];
  }
  void need(const Json& part, const char* key, const Json& value) const {
    if (part.contains(key) && part[key] != value && !part[key].is_null())
      refuse(fmt::format("{} with {} = {}", type(part), key, part[key].dump()));
  }
};

/// What is done to text before it is split: utf8proc's options, in order.
std::vector<utf8proc_option_t> normalisers_of(const Json& part, const Source& source) {
  if (part.is_null()) return {};
  const std::string type = source.type(part);
  if (type == "Sequence") {
    std::vector<utf8proc_option_t> out;
    for (const Json& inner : part.at("normalizers"))
      for (const utf8proc_option_t one : normalisers_of(inner, source)) out.push_back(one);
    return out;
  }
  const auto options = [](int bits) { return static_cast<utf8proc_option_t>(bits); };
  if (type == "NFC") return {options(UTF8PROC_STABLE | UTF8PROC_COMPOSE)};
  if (type == "NFD") return {options(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE)};
  if (type == "NFKC") return {options(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT)};
  if (type == "NFKD") return {options(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT)};
  source.refuse("normalizer " + type + " (known: NFC, NFD, NFKC, NFKD, Sequence)");
}

/// A literal as an expression.
std::string quoted(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}-").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

void add_splitters(const Json& part, const Source& source, std::vector<WordSplitter>& out) {
  if (part.is_null()) return;
  const std::string type = source.type(part), what = shown(source.file);
  if (type == "Sequence") {
    for (const Json& inner : part.at("pretokenizers")) add_splitters(inner, source, out);
  } else if (type == "ByteLevel") {
    source.need(part, "add_prefix_space", false);
    if (part.value("use_regex", true)) out.emplace_back();
  } else if (type == "Digits") {
    out.emplace_back(part.value("individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)", what);
  } else if (type == "Split") {
    const std::string behavior = part.at("behavior");
    const bool keeps = behavior == "Isolated" || (behavior == "Removed" && part.value("invert", false));
    if (!keeps) source.refuse("Split with behavior " + behavior);
    const Json& pattern = part.at("pattern");
    out.emplace_back(pattern.contains("Regex") ? pattern["Regex"].get<std::string>() : quoted(pattern.at("String")),
                     what);
  } else {
    source.refuse("pre_tokenizer " + type + " (known: ByteLevel, Digits, Split, Sequence)");
  }
}

bool ends_byte_level(const Json& part) {
  if (!part.is_object()) return false;
  if (part.value("type", "") == "Sequence")
    return std::ranges::any_of(part.at("pretokenizers"), [](const Json& inner) { return ends_byte_level(inner); });
  return part.value("type", "") == "ByteLevel";
}

struct Added {
  std::string text;
  uint32_t id = 0;
};

std::vector<Added> added_of(const Json& json, const Source& source) {
  std::vector<Added> out;
  for (const Json& token : json) {
    for (const char* key : {"lstrip", "rstrip", "single_word"})
      if (token.value(key, false)) source.refuse(fmt::format("an added token with {}", key));
    out.push_back({token.at("content"), static_cast<uint32_t>(whole_number(token.at("id")))});
    require(!out.back().text.empty(), "{}: an added token without text", shown(source.file));
  }
  return out;
}

/// The model with the added tokens among its tokens.
BpeModel model_of(const Json& json, const std::vector<Added>& added, const Source& source) {
  if (source.type(json) != "BPE") source.refuse("model " + source.type(json));
  source.need(json, "byte_fallback", false);
  source.need(json, "dropout", nullptr);
  source.need(json, "continuing_subword_prefix", "");
  source.need(json, "end_of_word_suffix", "");
  BpeModel model;
  model.whole_words = json.value("ignore_merges", false);
  std::unordered_map<std::string, uint32_t> ids;  // by the printable text
  constexpr int64_t most_ids = 1 << 24;
  const auto put = [&](const std::string& bytes, int64_t id) {
    require(id >= 0 && id < most_ids, "{}: an id of {}", shown(source.file), id);
    if (static_cast<std::size_t>(id) >= model.tokens.size()) model.tokens.resize(static_cast<std::size_t>(id) + 1);
    model.tokens[static_cast<std::size_t>(id)] = bytes;
  };
  for (const auto& [text, value] : json.at("vocab").items()) {
    const int64_t id = whole_number(value);
    const auto bytes = from_printable(text);
    put(bytes ? *bytes : text, id);  // what isn't written in bytes' characters can only be an added token
    ids[text] = static_cast<uint32_t>(id);
  }
  for (const Added& token : added) put(token.text, token.id);
  for (const unsigned char byte : byte_order())
    require(ids.contains(to_printable(std::string(1, static_cast<char>(byte)))), "{}: no id for the byte {}",
            shown(source.file), byte);
  for (const Json& merge : json.at("merges")) {
    const std::string text = merge.is_string() ? merge.get<std::string>() : "";
    const std::size_t gap = text.find(' ');
    require(!merge.is_string() || gap != std::string::npos, "{}: a merge is two tokens with a space between",
            shown(source.file));
    const std::string left = merge.is_string() ? text.substr(0, gap) : merge.at(0).get<std::string>(),
                      right = merge.is_string() ? text.substr(gap + 1) : merge.at(1).get<std::string>();
    require(ids.contains(left) && ids.contains(right) && ids.contains(left + right),
            "{}: merges \"{}\" and \"{}\", which its vocabulary doesn't hold with what they make", shown(source.file),
            left, right);
    model.merges.emplace_back(ids[left], ids[right]);
  }
  return model;
}

/// The added token that ends documents.
uint32_t end_of_document(const Path& folder, const std::vector<Added>& added) {
  std::vector<std::string> names;
  if (const Path file = folder / huggingface_config_file; std::filesystem::exists(file)) {
    const Json config = parse_json(read_file(file));
    const Json eos = config.is_object() ? config.value("eos_token", Json()) : Json();
    if (eos.is_string()) names.push_back(eos);
    if (eos.is_object() && eos.contains("content") && eos["content"].is_string()) names.push_back(eos["content"]);
  }
  for (const char* usual : {"<|endoftext|>", "<|end_of_text|>", "</s>", "<|im_end|>"}) names.emplace_back(usual);
  for (const std::string& name : names)
    if (const auto found = std::ranges::find(added, name, &Added::text); found != added.end()) return found->id;
  user_error("{}: no added token ends a document: name one as eos_token in tokenizer_config.json",
             shown(folder / huggingface_file));
}

class HuggingFace final : public Tokeniser {
 public:
  HuggingFace(Bpe bpe, std::vector<utf8proc_option_t> normalisers, std::vector<Added> added)
      : bpe_(std::move(bpe)), normalisers_(std::move(normalisers)) {
    for (Added& token : added) {
      if (static_cast<int64_t>(token.id) == bpe_.end_of_document()) continue;
      cuttable_ = cuttable_ && token.text.find(' ', 1) == std::string::npos;
      added_[static_cast<unsigned char>(token.text[0])].push_back(std::move(token));
    }
    for (auto& bucket : added_)  // the longest first
      std::ranges::sort(bucket, [](const Added& a, const Added& b) { return a.text.size() > b.text.size(); });
  }

  void encode(std::string_view text, std::vector<uint32_t>& ids) override {
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size();) {
      const Added* token = added_at(text.substr(at));
      if (token == nullptr) {
        ++at;
        continue;
      }
      encode_plain(text.substr(begin, at - begin), ids);
      ids.push_back(token->id);
      begin = at += token->text.size();
    }
    encode_plain(text.substr(begin), ids);
  }
  std::string decode(std::span<const uint32_t> ids) const override { return bpe_.decode(ids); }
  /// Before a space behind a letter or a digit of ASCII: no expression in use goes from one to the other, nothing
  /// composes with a space, and no added token has one inside.
  std::size_t safe_cut(std::string_view text) const override {
    if (!cuttable_) return 0;
    for (std::size_t at = text.size(); at-- > 1;)
      if (text[at] == ' ' && std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0) return at;
    return 0;
  }
  int64_t vocabulary() const override { return bpe_.vocabulary(); }
  int64_t end_of_document() const override { return bpe_.end_of_document(); }
  std::string name() const override { return bpe_.name(); }

 private:
  const Added* added_at(std::string_view text) const {
    for (const Added& token : added_[static_cast<unsigned char>(text[0])])
      if (text.starts_with(token.text)) return &token;
    return nullptr;
  }

  void encode_plain(std::string_view text, std::vector<uint32_t>& ids) {
    const bool ascii = std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (ascii || normalisers_.empty()) return bpe_.encode(text, ids);
    std::string now(text);
    for (const utf8proc_option_t options : normalisers_) now = normalised(now, options);
    bpe_.encode(now, ids);
  }

  /// Bytes that are no UTF-8 stay as they are, and what stands around them is normalised apart.
  static std::string normalised(std::string_view text, utf8proc_option_t options) {
    std::string out;
    while (!text.empty()) {
      std::size_t whole = 0;
      utf8proc_int32_t character = 0;
      while (whole < text.size()) {
        const auto size =
            utf8proc_iterate(bytes(text.substr(whole)), static_cast<utf8proc_ssize_t>(text.size() - whole), &character);
        if (size <= 0) break;
        whole += static_cast<std::size_t>(size);
      }
      utf8proc_uint8_t* made = nullptr;
      const auto size = utf8proc_map(bytes(text), static_cast<utf8proc_ssize_t>(whole), &made, options);
      check(size >= 0, "utf8proc: {}", utf8proc_errmsg(size));
      out.append(reinterpret_cast<const char*>(made), static_cast<std::size_t>(size));
      std::free(made);
      text.remove_prefix(whole);
      if (!text.empty()) out += text[0];
      text.remove_prefix(std::min<std::size_t>(text.size(), 1));
    }
    return out;
  }
  static const utf8proc_uint8_t* bytes(std::string_view text) {
    return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  }

  Bpe bpe_;
  std::vector<utf8proc_option_t> normalisers_;
  std::array<std::vector<Added>, 256> added_;  // by first byte
  bool cuttable_ = true;
};

}  // namespace

std::shared_ptr<Tokeniser> read_huggingface(const Path& folder) {
  const Source source{folder / huggingface_file};
  const std::string text = read_file(source.file);
  const Json json = parse_json(text);
  require(json.is_object(), "{}: no JSON object", shown(source.file));
  return read_guarded(shown(source.file), [&]() -> std::shared_ptr<Tokeniser> {
    const Json pre = json.value("pre_tokenizer", Json());
    if (!ends_byte_level(pre)) source.refuse("a model that isn't byte-level");
    std::vector<WordSplitter> words;
    add_splitters(pre, source, words);
    std::vector<Added> added = added_of(json.value("added_tokens", Json::array()), source);
    BpeModel model = model_of(json.at("model"), added, source);
    model.end_of_document = end_of_document(folder, added);
    model.name = fmt::format("tokenizer.json {} of {} ids", hash_hex(text).substr(0, 8), model.tokens.size());
    return std::make_shared<HuggingFace>(Bpe(std::move(model), std::move(words)),
                                         normalisers_of(json.value("normalizer", Json()), source), std::move(added));
  });
}

}  // namespace absorb
