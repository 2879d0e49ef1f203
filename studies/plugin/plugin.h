// What a plug-in is written with: one shared library that adds types to absorb's registries. One of its sources says
//
//     ABSORB_PLUGIN(types) { add_gaussian(types.routers); }
//
// and it links the installed library (docs/new-router.md, examples/plugin). The macro leaves two functions in the file:
// the entry, and the version that it was compiled against. Surprising: the loader reads that version out of the file
// before it runs anything in it, since calling into a library with other headers has no defined outcome.
#pragma once

#include <torch/version.h>

#include "absorb_headers.h"  // written by CMake: a hash of every header that is installed
#include "compensation/measures/measurement.h"
#include "router/route.h"
#include "training/data/source.h"

namespace absorb {

/// Empty registries, which a plug-in fills with what it brings. None of its names may be taken.
struct PluginTypes {
  Routers routers{"router"};
  Selections selections{"selection"};
  RoutingLosses losses{"routing loss"};
  DataSources data{"data set"};
  Measures measures = {};
};

}  // namespace absorb

#define ABSORB_PLUGIN_MARK "absorb plug-in built against "
#define ABSORB_PLUGIN_VERSION "absorb " ABSORB_HEADERS_VERSION ", LibTorch " TORCH_VERSION
#define ABSORB_PLUGIN(types)                                                              \
  extern "C" __attribute__((visibility("default"))) const char* absorb_plugin_version() { \
    return ABSORB_PLUGIN_MARK ABSORB_PLUGIN_VERSION;                                      \
  }                                                                                       \
  extern "C" __attribute__((visibility("default"))) void absorb_plugin(absorb::PluginTypes& types)  // NOLINT
