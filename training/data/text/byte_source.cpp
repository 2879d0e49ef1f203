#include "training/data/text/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/error.h"

namespace absorb {
namespace {

bool is_packed(const Path& path) {
  return path.extension() == ".gz";
}

void require_regular(const Path& path, const struct stat& status) {
  require(!S_ISDIR(status.st_mode), "can't read {}: it is a folder", shown(path));
  require(S_ISREG(status.st_mode), "can't read {}: it is no regular file", shown(path));
}

std::string hash_stream(const Path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(descriptor >= 0, "can't read {}: {}", path.string(), std::strerror(errno));
  StreamHash hash;
  std::vector<char> buffer(1 << 20);
  ssize_t count = 0;
  while ((count = ::read(descriptor, buffer.data(), buffer.size())) > 0)
    hash.update({buffer.data(), static_cast<std::size_t>(count)});
  const int error = errno;
  close(descriptor);
  require(count == 0, "can't read {}: {}", path.string(), std::strerror(error));
  return hash.hex();
}

}  // namespace

ByteSource::ByteSource(const Path& path) : path_(path) {
  struct stat status {};
  const bool known = stat(path.c_str(), &status) == 0;
  require(known, "can't read {}: {}", shown(path), std::strerror(errno));
  require_regular(path, status);
  total_ = static_cast<std::uintmax_t>(status.st_size);
  file_ = gzopen(path.c_str(), "rb");
  require(file_ != nullptr, "can't read {}: {}", path.string(), std::strerror(errno));
  gzbuffer(file_, 1 << 18);
  if (is_packed(path) && total_ > 0 && gzdirect(file_) != 0) {
    gzclose(file_);
    user_error("{} is no gzip file", path.string());
  }
}

ByteSource::~ByteSource() {
  gzclose(file_);
}

std::size_t ByteSource::read(char* to, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const int count = gzread(file_, to + done, static_cast<unsigned>(std::min<std::size_t>(size - done, 1u << 30)));
    if (count > 0) {
      done += static_cast<std::size_t>(count);
      continue;
    }
    int error = Z_OK;
    const char* message = gzerror(file_, &error);
    require(error != Z_BUF_ERROR, "{} is cut short: unpack or fetch it again", path_.string());
    require(error == Z_OK || error == Z_STREAM_END, "can't read {}: {}", path_.string(),
            error == Z_ERRNO ? std::strerror(errno) : message);
    break;
  }
  return done;
}

std::uintmax_t ByteSource::taken() const {
  return static_cast<std::uintmax_t>(std::max<z_off_t>(0, gzoffset(file_)));
}

std::string hash_file(const Path& path) {
  static std::mutex mutex;
  static std::map<std::string, std::string> known;
  struct stat status {};
  const bool found = stat(path.c_str(), &status) == 0;
  require(found, "can't read {}: {}", shown(path), std::strerror(errno));
  require_regular(path, status);
  const std::string key = file_state(path);
  const std::lock_guard lock(mutex);
  std::string& hash = known[key];
  if (hash.empty()) hash = hash_stream(path);
  return hash;
}

Path without_gz(const Path& path) {
  return is_packed(path) ? Path(path).replace_extension() : path;
}

}  // namespace absorb
