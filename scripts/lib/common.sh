# What the scripts share. Messages go to standard error; a mistake or a missing thing is one line and exit status 2.
say() { echo "setup: $*" >&2; }
fail() {
  echo "setup: $*" >&2
  exit 2
}

# Sets cuda to the toolkit's folder or to nothing, and cuda_given to whether the user named it.
find_cuda() {
  cuda_given=no
  if [ -n "$cuda" ]; then
    cuda_given=yes
    is_cuda_13 "$cuda" || fail "$cuda is no CUDA 13 toolkit (bin/nvcc and include/cuda_runtime_api.h of version 13 are expected)"
  elif is_cuda_13 /usr/local/cuda; then
    cuda=/usr/local/cuda
  fi
}
is_cuda_13() {
  [ -x "$1/bin/nvcc" ] && grep -qsE 'define CUDART_VERSION +13[0-9]{3}' "$1/include/cuda_runtime_api.h"
}

# What the build should use; cmake/ reads it. Build folders remember their first choice, so a new choice clears that.
write_config() {
  local text
  text="# Written by scripts/setup."
  [ -z "$libtorch" ] || text+="
set(ABSORB_LIBTORCH \"$libtorch\" CACHE PATH \"folder with LibTorch's include/ and lib/\")"
  [ -z "$cuda" ] || text+="
set(ABSORB_CUDA \"$cuda\" CACHE PATH \"folder of a CUDA 13 toolkit\")"
  if [ "$(cat .deps/config.cmake 2>/dev/null)" != "$text" ]; then
    [ ! -f .deps/config.cmake ] || rm -f build/*/CMakeCache.txt
    echo "$text" >.deps/config.cmake
  fi
}

# fetch URL FILE SHA256: apt's own downloader, which every Debian has; it knows apt's proxy and checks the hash.
fetch() {
  /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file "$1" "$2" "SHA256:$3" >/dev/null 2>&1
}
