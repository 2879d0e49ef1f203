# What every one of our sources is compiled with, and the precompiled header that they share.
set(ABSORB_SANITIZE "" CACHE STRING "sanitizers for our own code, for example address,undefined")
if(ABSORB_SANITIZE)
  # vptr would need LibTorch to be built with it.
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${ABSORB_SANITIZE};-fno-sanitize=vptr>"
    "$<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize-recover=undefined;-fno-omit-frame-pointer>")
  add_link_options(-fsanitize=${ABSORB_SANITIZE})
endif()

option(ABSORB_DEVELOPER "Warnings are errors: on in our presets, off for a compiler that we haven't seen" OFF)
add_library(absorb_flags INTERFACE)
target_compile_options(absorb_flags INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-Wconversion;$<$<BOOL:${ABSORB_DEVELOPER}>:-Werror>>"
  # GCC 12 and 13 take a defaulted at::Tensor for uninitialized, and 13 any function of references for a dangling one.
  "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized;-Wno-dangling-reference>"
  # at::parallel_for is a plain loop in a source that is compiled without OpenMP. (Clang, which only lints, has no omp.h.)
  "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fopenmp>"
  # nvcc passes its own generated code to the host compiler: -Wconversion and -Wshadow would blame that.
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra$<$<BOOL:${ABSORB_DEVELOPER}>:,-Werror;--Werror=all-warnings>;--expt-relaxed-constexpr>")
target_compile_definitions(absorb_flags INTERFACE XXH_INLINE_ALL TOML_HEADER_ONLY=1)
target_include_directories(absorb_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_include_directories(absorb_flags SYSTEM BEFORE INTERFACE "${CMAKE_BINARY_DIR}/fmt")
target_link_libraries(absorb_flags INTERFACE absorb_torch "${absorb_fmt}" nlohmann_json::nlohmann_json)

# torch/types.h takes 9 s to read, precompiled 2 s. One target owns it and the others reuse it.
file(WRITE "${CMAKE_BINARY_DIR}/precompiled.cpp" "")
add_library(absorb_precompiled OBJECT "${CMAKE_BINARY_DIR}/precompiled.cpp")
target_link_libraries(absorb_precompiled PUBLIC absorb_flags)
target_precompile_headers(absorb_precompiled PRIVATE "${CMAKE_SOURCE_DIR}/cmake/precompiled.h")
