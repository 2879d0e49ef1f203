# cmake --install BUILD --prefix DIR: the command, the library, its headers below include/absorb/, and what
# find_package(absorb) reads. LibTorch stays where it is; fmt comes along with its headers, since LibTorch ships those of
# another version.
set_target_properties(absorb_library absorb_command PROPERTIES
  INSTALL_RPATH "$ORIGIN/../lib;${ABSORB_LIBTORCH}/lib;${absorb_nvidia_libs}")
if(absorb_cuda)
  set_property(TARGET absorb_library absorb_command APPEND PROPERTY INSTALL_RPATH "${ABSORB_CUDA}/lib64")
endif()
install(TARGETS absorb_library absorb_command RUNTIME DESTINATION bin LIBRARY DESTINATION lib)
install(FILES "${absorb_fmt}" DESTINATION lib)
install(DIRECTORY "${absorb_fmt_headers}/fmt" DESTINATION include/absorb/third_party)

set(absorb_tops "${absorb_folders}")
list(TRANSFORM absorb_tops REPLACE "/.*" "")
list(REMOVE_DUPLICATES absorb_tops)
install(DIRECTORY ${absorb_tops} DESTINATION include/absorb
  FILES_MATCHING PATTERN "*.h" PATTERN "*.cuh")
install(FILES "${absorb_version_dir}/absorb_headers.h" DESTINATION include/absorb)

include(CMakePackageConfigHelpers)
configure_file(cmake/absorbConfig.cmake.in "${CMAKE_BINARY_DIR}/absorbConfig.cmake" @ONLY)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/absorbConfigVersion.cmake" COMPATIBILITY ExactVersion)
install(FILES "${CMAKE_BINARY_DIR}/absorbConfig.cmake" "${CMAKE_BINARY_DIR}/absorbConfigVersion.cmake"
  DESTINATION lib/cmake/absorb)
