// Blocks of a page laid over the repository, and what it takes to compile and to build them.
#pragma once

#include <set>
#include <string>

#include "tests/docs/page.h"

namespace absorb::docs {

/// Writes every named block of the page into the folder: a diff as the repository's file with its added lines, each
/// below the line before it. Returns their names.
std::set<std::string> overlay(const Path& page, const Folder& folder);

/// Compiles <folder>/whole.cpp, which includes the sources and a test, with this program's flags and libraries;
/// LibTorch's headers are read once. What it defines stands before what the library does. Then runs it, and expects so
/// many tests.
void expect_tests_pass(const Folder& folder, const std::string& whole, int tests);

}  // namespace absorb::docs
