#include "studies/folder/study_log.h"

// Debian's spdlog is built with Debian's fmt, which this program uses too.
#define SPDLOG_FMT_EXTERNAL
#define SPDLOG_HEADER_ONLY
#include <fcntl.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <mutex>

#include "core/error.h"
#include "core/system.h"
#include "studies/folder/paths.h"

namespace absorb {
namespace {

// spdlog's own file sink buffers, and may cut a line in two.
class AppendingSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit AppendingSink(const Path& file) : descriptor_(system::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND)) {}
  ~AppendingSink() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  AppendingSink(const AppendingSink&) = delete;
  AppendingSink& operator=(const AppendingSink&) = delete;

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (descriptor_ < 0) return;
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (system::write(descriptor_, line.data(), line.size()) < 0) ::close(std::exchange(descriptor_, -1));
  }
  void flush_() override {}
  int descriptor_;
};

}  // namespace

struct StudyLog::Sink {
  explicit Sink(spdlog::sink_ptr file) : logger("absorb", std::move(file)) {}
  spdlog::logger logger;
};

StudyLog::StudyLog(const Path& study) {
  auto sink = std::make_shared<AppendingSink>(study / "absorb.log");
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ " + host_name() + " %P %l: %v",
                                                                  spdlog::pattern_time_type::utc));
  sink_ = std::make_shared<Sink>(std::move(sink));
}

void StudyLog::info(const std::string& text) const {
  if (sink_) sink_->logger.info(one_line(text));
}

void StudyLog::warning(const std::string& text) const {
  if (sink_) sink_->logger.warn(one_line(text));
}

}  // namespace absorb
