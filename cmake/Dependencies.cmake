# The Debian packages that scripts/setup installs. All but zlib and fmt are header-only or linked as an archive, and fmt is
# copied beside the command, so that a build can be carried to another machine that has no more than LibTorch.
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_library(ABSORB_PCRE2 NAMES libpcre2-8.a REQUIRED)
find_library(ABSORB_UTF8PROC NAMES libutf8proc.a REQUIRED)
find_path(ABSORB_UTF8PROC_HEADERS NAMES utf8proc.h REQUIRED)
# Bundles are tar and zstd alone: libarchive.a without what its other formats would ask for.
find_path(ABSORB_ARCHIVE_HEADERS NAMES archive.h REQUIRED)
find_library(ABSORB_ARCHIVE NAMES libarchive.a REQUIRED)
find_library(ABSORB_ZSTD NAMES libzstd.a REQUIRED)
find_path(ABSORB_TOML NAMES toml++/toml.h REQUIRED)
find_path(ABSORB_CLI11 NAMES CLI/CLI.hpp REQUIRED)
find_path(ABSORB_SPDLOG NAMES spdlog/logger.h REQUIRED)  # its header-only form, in one source
find_path(ABSORB_XXHASH NAMES xxhash.h REQUIRED)

# Debian has no archive of fmt, and its header-only form adds two seconds to every source that formats.
get_target_property(absorb_fmt_installed fmt::fmt IMPORTED_LOCATION_NONE)
get_target_property(absorb_fmt_soname fmt::fmt IMPORTED_SONAME_NONE)
set(absorb_fmt "${CMAKE_BINARY_DIR}/${absorb_fmt_soname}")
configure_file("${absorb_fmt_installed}" "${absorb_fmt}" COPYONLY)

# LibTorch ships headers of another fmt without its code: ours must be found first, through a folder that holds no more.
find_path(absorb_fmt_headers NAMES fmt/core.h PATHS /usr/include NO_DEFAULT_PATH REQUIRED)
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/fmt")
file(CREATE_LINK "${absorb_fmt_headers}/fmt" "${CMAKE_BINARY_DIR}/fmt/fmt" SYMBOLIC)
