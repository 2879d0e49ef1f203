# LibTorch from its wheels. Only what the build links is fetched: without a CUDA toolkit that is LibTorch's CPU half and the
# two small CUDA libraries which even that half names; with one, the run-time libraries that the toolkit lacks.
pip_flags=(--quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: --python-version 3.11
  --implementation cp --abi cp311)
for glibc in _2_28 _2_27 _2_25 _2_18 _2_17 2014; do pip_flags+=(--platform "manylinux${glibc}_x86_64"); done

has_library() { [ -e "$cuda/lib64/$1" ] || ldconfig -p | grep -q "^[[:space:]]*$1 "; }

wanted_wheels() {
  wheels=(torch)
  if [ -z "$cuda" ]; then
    wheels+=(nvidia-cuda-runtime nvidia-cuda-cupti)
    return
  fi
  has_library libcusparseLt.so.0 || wheels+=(nvidia-cusparselt-cu13)
  has_library libnvshmem_host.so.3 || wheels+=(nvidia-nvshmem-cu13)
  has_library libcufile.so.0 || wheels+=(nvidia-cufile)
  has_library libcudnn.so.9 || wheels+=(nvidia-cudnn-cu13)
  has_library libnccl.so.2 || wheels+=(nvidia-nccl-cu13)
  has_library libcupti.so.13 || [ -e "$cuda/extras/CUPTI/lib64/libcupti.so.13" ] || wheels+=(nvidia-cuda-cupti)
}

# fetch_wheels FOLDER NAME...
fetch_wheels() {
  local folder=$1 name pins
  shift
  pins=$(mktemp)
  for name in "$@"; do grep "^$name==" scripts/libtorch.txt >>"$pins"; done
  python3 -m pip --version >/dev/null 2>&1 || fail "python3-pip is missing (it fetches LibTorch): apt-get install python3-pip"
  python3 -m pip download "${pip_flags[@]}" -d "$folder" -r "$pins" || fail "the wheels of scripts/libtorch.txt could not be fetched: is there a network? --offline DIR works without"
  rm -f "$pins"
}

# For another machine, which may have a toolkit or not: all of them.
download_wheels() {
  say "downloading LibTorch into $1"
  local names
  mapfile -t names < <(sed -n 's/^\([a-z].*\)==.*/\1/p' scripts/libtorch.txt)
  fetch_wheels "$1" "${names[@]}"
}

# offline_wheel NAME: the wheel's path, after its hash was compared.
offline_wheel() {
  local file hash
  hash=$(sed -n "s/^$1==.*sha256://p" scripts/libtorch.txt)
  for file in "$offline/wheels/${1//-/_}-"*.whl "$offline/${1//-/_}-"*.whl; do
    [ -e "$file" ] || continue
    echo "$hash  $file" | sha256sum --check --status || fail "$file is damaged or another version (its hash is not that of scripts/libtorch.txt)"
    echo "$file"
    return
  done
  fail "the wheel of $(grep -o "^$1==[^ ]*" scripts/libtorch.txt) is not in $offline/wheels"
}

install_libtorch() {
  if [ -n "$libtorch" ]; then
    [ -f "$libtorch/lib/libtorch_cpu.so" ] && [ -d "$libtorch/include/ATen" ] || fail "$libtorch is no LibTorch (lib/libtorch_cpu.so and include/ATen are expected in it)"
    grep -qsE 'define TORCH_VERSION "?2\.11|define TORCH_VERSION_MINOR 11' "$libtorch"/include/torch/headeronly/version.h "$libtorch"/include/torch/csrc/api/include/torch/version.h || fail "$libtorch is not version 2.11"
    return
  fi
  wanted_wheels
  local target=$PWD/.deps/libtorch-2.11.0 wheel file free
  local marks=() needed=()
  # A wheel ends with its dist-info folder: when that is there, the rest is.
  for wheel in "${wheels[@]}"; do
    compgen -G "$target/${wheel//-/_}-*.dist-info/METADATA" >/dev/null || needed+=("$wheel")
  done
  [ ${#needed[@]} -gt 0 ] || return 0
  free=$(df -Pm .deps | awk 'NR == 2 {print $4}')
  [ "$free" -ge 4000 ] || fail "LibTorch needs 4000 MB in $PWD/.deps, $free MB are free"
  say "unpacking LibTorch: ${needed[*]}"
  local folder=.deps/wheels
  if [ -n "$offline" ]; then
    for wheel in "${needed[@]}"; do marks+=("$(offline_wheel "$wheel")") || exit 2; done
  else
    mkdir -p "$folder"
    fetch_wheels "$folder" "${needed[@]}"
    marks=("$folder"/*.whl)
  fi
  mkdir -p "$target"
  for file in "${marks[@]}"; do python3 -m zipfile -e "$file" "$target" || fail "$file could not be unpacked"; done
  rm -rf "$folder"
}

# The documentation's Python examples and the tests against transformers run in this environment; without it (no network)
# they are skipped.
install_python() {
  local new=.deps/python
  ! cmp -s scripts/python.txt .deps/python/installed.txt || return 0
  [ -z "$offline" ] || { say "no Python packages offline: the tests that need them are skipped"; return 0; }
  say "making the Python environment of the documentation's examples and of the tests against transformers"
  [ -x .deps/python/bin/python ] || new=.deps/python.tmp
  rm -rf .deps/python.tmp
  if { [ "$new" = .deps/python ] || python3 -m venv "$new"; } && "$new/bin/python" -m pip install --quiet --disable-pip-version-check -r scripts/python.txt; then
    for site in "$new"/lib/python3*/site-packages; do echo ../../../../libtorch-2.11.0 >"$site/libtorch.pth"; done
    cp scripts/python.txt "$new/installed.txt"
    [ "$new" = .deps/python ] || mv "$new" .deps/python
  else
    say "the Python packages of scripts/python.txt could not be installed: the tests that need them are skipped"
  fi
}
