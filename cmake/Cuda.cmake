# Decides whether the CUDA kernels are compiled: a CUDA 13 toolkit is there and nobody said ABSORB_WITH_CUDA=OFF. Without
# it every <folder>/cuda/ is replaced by <folder>/no_cuda.cpp, and libtorch_cuda.so with its many libraries isn't linked.
set(ABSORB_CUDA "/usr/local/cuda" CACHE PATH "folder of a CUDA 13 toolkit")
option(ABSORB_WITH_CUDA "compile the CUDA kernels when ABSORB_CUDA has a CUDA 13 toolkit" ON)

set(absorb_cuda OFF)
if(ABSORB_WITH_CUDA AND EXISTS "${ABSORB_CUDA}/bin/nvcc" AND EXISTS "${ABSORB_CUDA}/include/cuda_runtime_api.h")
  file(STRINGS "${ABSORB_CUDA}/include/cuda_runtime_api.h" absorb_cudart REGEX "define CUDART_VERSION +[0-9]+")
  if(absorb_cudart MATCHES "CUDART_VERSION +13[0-9][0-9][0-9]")
    set(absorb_cuda ON)
  else()
    message(STATUS "${ABSORB_CUDA} is no CUDA 13 toolkit: building without CUDA kernels")
  endif()
endif()

if(absorb_cuda)
  # Before enable_language: its check compiles for this architecture, and CUDA 13 no longer knows CMake's default.
  set(CMAKE_CUDA_ARCHITECTURES 90a-real CACHE STRING "GPU architectures the kernels are compiled for")
  set(CMAKE_CUDA_COMPILER "${ABSORB_CUDA}/bin/nvcc" CACHE FILEPATH "nvcc")
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # LibTorch's runtime, not a second one
  enable_language(CUDA)
  set(CMAKE_CUDA_FLAGS_RELEASE "-O2")
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # CMake 3.25 knows nvcc's C++17 at most
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  list(PREPEND CMAKE_CUDA_COMPILER_LAUNCHER "${CMAKE_SOURCE_DIR}/cmake/keep_ptxas_report")
endif()
message(STATUS "CUDA kernels: ${absorb_cuda}")
