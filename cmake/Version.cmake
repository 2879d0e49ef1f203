# The commit that a binary was built from, for the provenance of every run; and a hash of every header, which tells a
# plug-in that was compiled against others.
set(absorb_version_dir "${CMAKE_BINARY_DIR}/generated")
set(absorb_write_version "${CMAKE_COMMAND}" "-DSOURCE=${CMAKE_SOURCE_DIR}" "-DVERSION=${PROJECT_VERSION}"
  "-DFOLDER=${absorb_version_dir}" -P "${CMAKE_SOURCE_DIR}/cmake/WriteVersion.cmake")
execute_process(COMMAND ${absorb_write_version})
add_custom_target(absorb_version COMMAND ${absorb_write_version}
  BYPRODUCTS "${absorb_version_dir}/absorb_version.h" "${absorb_version_dir}/absorb_headers.h")
foreach(room IN ITEMS absorb_studies_run absorb_studies_plugin)
  add_dependencies(${room} absorb_version)
  target_include_directories(${room} PRIVATE "${absorb_version_dir}")
endforeach()
