# Run at every build: writes absorb_version.h, only if it changed. A source tree without git builds as "unknown".
execute_process(COMMAND git -C "${SOURCE}" rev-parse --short=12 HEAD OUTPUT_VARIABLE ABSORB_COMMIT
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
set(ABSORB_DIRTY 0)
if(failed)
  set(ABSORB_COMMIT unknown)
else()
  execute_process(COMMAND git -C "${SOURCE}" status --porcelain --untracked-files=no OUTPUT_VARIABLE changes ERROR_QUIET)
  if(changes)
    set(ABSORB_DIRTY 1)
  endif()
endif()
set(PROJECT_VERSION "${VERSION}")
configure_file("${SOURCE}/cmake/absorb_version.h.in" "${TARGET}" @ONLY)
