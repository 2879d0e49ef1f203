# The Debian packages that scripts/setup installs. Everything but zlib is header-only or linked as an archive, so that a
# build can be carried to another machine that has no more than LibTorch.
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_library(ABSORB_PCRE2 NAMES libpcre2-8.a REQUIRED)
find_path(ABSORB_TOML NAMES toml++/toml.h REQUIRED)
find_path(ABSORB_CLI11 NAMES CLI/CLI.hpp REQUIRED)
find_path(ABSORB_XXHASH NAMES xxhash.h REQUIRED)
