# LibTorch of the PyPI wheel as one interface target, without find_package(Torch), which rewrites compiler flags for
# everyone. ABSORB_LIBTORCH is the folder that holds include/ and lib/.
set(ABSORB_LIBTORCH "${CMAKE_SOURCE_DIR}/.deps/libtorch-2.11.0/torch" CACHE PATH "folder with LibTorch's include/ and lib/")
if(NOT EXISTS "${ABSORB_LIBTORCH}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch 2.11 is not in ${ABSORB_LIBTORCH}: run scripts/setup, or pass -DABSORB_LIBTORCH=DIR")
endif()
if(absorb_cuda AND NOT EXISTS "${ABSORB_LIBTORCH}/lib/libtorch_cuda.so")
  message(FATAL_ERROR "${ABSORB_LIBTORCH} is a LibTorch without CUDA: pass -DABSORB_WITH_CUDA=OFF, or use the CUDA build")
endif()

# The wheel's own run path leads to ../../nvidia/*/lib; ours repeats it because a toolkit's libraries lie elsewhere.
get_filename_component(absorb_site "${ABSORB_LIBTORCH}/.." ABSOLUTE)
file(GLOB absorb_nvidia_libs LIST_DIRECTORIES true "${absorb_site}/nvidia/*/lib")
set(CMAKE_BUILD_RPATH "$ORIGIN" "${ABSORB_LIBTORCH}/lib" ${absorb_nvidia_libs})

add_library(absorb_torch INTERFACE)
set(absorb_torch_includes "${ABSORB_LIBTORCH}/include" "${ABSORB_LIBTORCH}/include/torch/csrc/api/include")
set(absorb_torch_libs libtorch_cpu.so libc10.so libgomp.so.1)
if(absorb_cuda)
  list(APPEND absorb_torch_includes "${ABSORB_CUDA}/include" "${ABSORB_CUDA}/extras/CUPTI/include")  # cupti.h: either
  list(APPEND absorb_torch_libs libtorch.so libtorch_cuda.so libc10_cuda.so)
  list(APPEND CMAKE_BUILD_RPATH "${ABSORB_CUDA}/lib64")
endif()
# For C++ alone: a .cu that reaches for a torch header (half a minute each) doesn't find it.
target_include_directories(absorb_torch SYSTEM INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${absorb_torch_includes}>")

# --no-as-needed: nothing names libtorch_cuda.so's symbols, it registers its operations when it is loaded.
# libgomp.so.1: the wheel's own, for our OpenMP loops run in its thread pool.
# --disable-new-dtags: DT_RPATH also serves the libraries that LibTorch's own libraries need, DT_RUNPATH doesn't.
list(TRANSFORM absorb_torch_libs PREPEND "${ABSORB_LIBTORCH}/lib/")
target_link_libraries(absorb_torch INTERFACE
  -Wl,--no-as-needed ${absorb_torch_libs} -Wl,--as-needed -Wl,--disable-new-dtags -Wl,--allow-shlib-undefined)
if(absorb_cuda)
  target_link_libraries(absorb_torch INTERFACE "${ABSORB_CUDA}/lib64/libcudart.so")
endif()
