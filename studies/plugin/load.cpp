#include "studies/plugin/load.h"

#include <dlfcn.h>
#include <elf.h>

#include <cstring>

#include "core/error.h"
#include "studies/plugin/plugin.h"

namespace absorb {
namespace {

constexpr std::string_view mark = ABSORB_PLUGIN_MARK, version = ABSORB_PLUGIN_VERSION;
constexpr std::size_t digits_of_hash = 12;  // in the name of a copy

std::vector<LoadedPlugin>& loaded() {
  static std::vector<LoadedPlugin> all;
  return all;
}

template <class R>
void require_free_names(const Path& file, const R& known, const R& brought) {
  for (const std::string& name : known.clashes(brought))
    user_error("{}: registers the {} \"{}\", a name that {} already: give it another one", file.string(), known.kind(),
               name, known.origin(name).empty() ? "absorb has" : "another plug-in has taken");
}

void require_free_names(const Path& file, const Measures& brought) {
  for (const Measure& measure : brought.all())
    for (const MeasureInfo& edges : measure.edges)
      require(measures().edges_named(edges.name) == nullptr,
              "{}: registers the measure \"{}\", a name that is taken already: give it another one", file.string(),
              edges.name);
}

bool any(const PluginTypes& types) {
  return !types.routers.names().empty() || !types.selections.names().empty() || !types.losses.names().empty() ||
         !types.data.names().empty() || !types.measures.all().empty();
}

void require_this_version(const Path& file, std::string_view bytes) {
  const std::size_t at = bytes.find(mark);
  require(at != std::string_view::npos,
          "{}: is no plug-in: it lacks the entry that ABSORB_PLUGIN makes (docs/new-router.md)", file.string());
  const std::string_view built = bytes.substr(at + mark.size(), bytes.find('\0', at) - at - mark.size());
  require(built == version, "{}: was built against {}, but this is {}: build it anew", file.string(), built, version);
}

// dlopen reads beyond the end of a file that was cut short, which ends the process: the table that ends one must be
// there.
void require_whole(const Path& file, std::string_view bytes) {
  Elf64_Ehdr header{};
  if (bytes.size() >= sizeof(header)) std::memcpy(&header, bytes.data(), sizeof(header));
  const std::uint64_t end = header.e_shoff + std::uint64_t{header.e_shentsize} * header.e_shnum;
  require(bytes.starts_with(ELFMAG) && end <= bytes.size(),
          "{}: can't be loaded: it is cut short, or no shared library", file.string());
}

using Entry = void (*)(PluginTypes&);

Entry entry_of(const Path& file) {
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  const char* error = library == nullptr ? ::dlerror() : nullptr;
  require(library != nullptr, "{}: can't be loaded: {}", file.string(), error == nullptr ? "?" : error);
  void* entry = ::dlsym(library, "absorb_plugin");
  require(entry != nullptr, "{}: is no plug-in: it lacks the entry that ABSORB_PLUGIN makes (docs/new-router.md)",
          file.string());
  return reinterpret_cast<Entry>(entry);
}

void register_types(const Path& file, const std::string& hash) {
  PluginTypes types;
  try {
    entry_of(file)(types);
  } catch (const UserError&) {
    throw;
  } catch (const std::exception& error) {
    user_error("{}: its entry failed: {}", file.string(), error.what());
  }
  require(any(types), "{}: registers nothing", file.string());
  Registries& known = registries();
  require_free_names(file, known.routers, types.routers);
  require_free_names(file, known.selections, types.selections);
  require_free_names(file, known.losses, types.losses);
  require_free_names(file, data_sources(), types.data);
  require_free_names(file, types.measures);
  known.routers.take(types.routers, hash);
  known.selections.take(types.selections, hash);
  known.losses.take(types.losses, hash);
  data_sources().take(types.data, hash);
  for (Measure measure : types.measures.all()) {
    measure.origin = hash;
    measures().add(std::move(measure));
  }
}

}  // namespace

void load_plugin(const Path& file) {
  const Path whole = std::filesystem::absolute(file).lexically_normal();
  require(std::filesystem::is_regular_file(whole), "{}: there is no such plug-in", whole.string());
  const MappedFile bytes(whole);
  const std::string hash = hash_hex(bytes.text());
  for (const LoadedPlugin& plugin : loaded())
    if (plugin.hash == hash) return;
  require_this_version(whole, bytes.text());
  require_whole(whole, bytes.text());
  register_types(whole, hash);
  loaded().push_back({whole, hash});
}

void load_plugins(const std::vector<std::string>& files) {
  for (const std::string& file : files) load_plugin(file);
}

const std::vector<LoadedPlugin>& loaded_plugins() {
  return loaded();
}

std::vector<std::string> keep_plugins(const Path& folder) {
  std::vector<std::string> kept;
  for (const LoadedPlugin& plugin : loaded()) {
    const std::string tag = "-" + plugin.hash.substr(0, digits_of_hash), stem = plugin.file.stem().string();
    const Path copy = Path("plugins") / (stem + (stem.ends_with(tag) ? "" : tag) + plugin.file.extension().string());
    if (!std::filesystem::exists(folder / copy)) {
      make_folder(folder / "plugins");
      write_file(folder / copy, MappedFile(plugin.file).text());
    }
    kept.push_back(copy.string());
  }
  return kept;
}

}  // namespace absorb
