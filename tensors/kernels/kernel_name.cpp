// What of a kernel trace needs no GPU.
#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "tensors/kernels/kernel_trace.h"

namespace absorb {
namespace {

std::string demangled(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 && text ? std::string(text.get()) : name;
}

void erase_all(std::string& text, std::string_view what) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what)) text.erase(at, what.size());
}

// The end of the bracket that opens at `open`, one past it.
std::size_t closing(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t at = open; at < text.size(); ++at) {
    depth += text[at] == '<' ? 1 : text[at] == '>' && text[at - 1] != '-' ? -1 : 0;
    if (depth == 0) return at + 1;
  }
  return text.size();
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

// What LibTorch's generic kernels apply: the first name in the template arguments that says so.
std::string function_in(std::string_view arguments) {
  const auto says = [](std::string_view word) {
    if (word.starts_with("Unary") || word.starts_with("Binary") || word.starts_with("gpu_kernel")) return false;
    return word.find("unctor") != std::string_view::npos || word.ends_with("_kernel_cuda") ||
           word.ends_with("_kernel_impl") || word.ends_with("Ops") || word.ends_with("_copy_kernel");
  };
  for (std::size_t at = 0; at < arguments.size();) {
    std::size_t end = at;
    while (end < arguments.size() && is_word(arguments[end])) ++end;
    if (const std::string_view word = arguments.substr(at, end - at); says(word)) return std::string(word);
    at = end + 1;
  }
  return "";
}

// The source of a kernel in an unnamed namespace: nvcc writes "_GLOBAL__N__", eight digits of a hash, and the file's
// name after its length ("_7_norm_cu_"). Empty where there is none.
std::string source_in(std::string_view mangled) {
  constexpr std::string_view mark = "_GLOBAL__N__";
  std::size_t at = mangled.find(mark);
  if (at == std::string_view::npos) return "";
  at += mark.size() + 9;
  std::size_t length = 0;
  while (at < mangled.size() && std::isdigit(static_cast<unsigned char>(mangled[at])))
    length = 10 * length + static_cast<std::size_t>(mangled[at++] - '0');
  if (length < 4 || at + 1 + length > mangled.size()) return "";
  const std::string_view file = mangled.substr(at + 1, length);
  return file.ends_with("_cu") ? std::string(file.substr(0, length - 3)) : "";
}

// What tells our kernels of one name apart: their file, or the namespace that they share with its helpers.
std::string owner(std::string_view mangled, std::string_view scope) {
  if (!scope.starts_with("absorb::")) return "";
  if (const std::string source = source_in(mangled); !source.empty()) return source + "::";
  const std::size_t colon = scope.rfind("::");
  const std::string last(scope.substr(colon + 2));
  return last == "kernels" ? "" : last + "::";
}

}  // namespace

std::string short_kernel_name(std::string_view mangled) {
  std::string name = demangled(std::string(mangled));
  const bool torch = name.find("at::native") != std::string::npos;
  erase_all(name, "(anonymous namespace)::");
  if (name.starts_with("void ")) name.erase(0, 5);
  const std::size_t open = name.find_first_of("<(");
  std::string head = name.substr(0, open), arguments;
  if (open != std::string::npos && name[open] == '<') {
    const std::size_t end = closing(name, open);
    arguments = name.substr(open + 1, end - open - 2);
  }
  if (const std::size_t colon = head.rfind("::"); colon != std::string::npos)
    head = owner(mangled, head.substr(0, colon)) + head.substr(colon + 2);
  if (const std::string function = torch ? function_in(arguments) : ""; !function.empty())
    return head + "<" + function + ">";
  if (name.starts_with("cutlass::") && std::all_of(arguments.begin(), arguments.end(), is_word)) return arguments;
  constexpr std::size_t most = 32;
  return arguments.empty() || torch || arguments.size() > most ? head : head + "<" + arguments + ">";
}

uint64_t busy_nanoseconds(std::vector<KernelSpan> spans) {
  std::sort(spans.begin(), spans.end(), [](const KernelSpan& a, const KernelSpan& b) { return a.begin < b.begin; });
  uint64_t busy = 0, until = 0;
  for (const KernelSpan& span : spans) {
    if (span.end <= until) continue;
    busy += span.end - std::max(span.begin, until);
    until = span.end;
  }
  return busy;
}

}  // namespace absorb
