// A queue of batches. Each thread takes one sample at a time from the oldest batch with work left.
#include "io/media/media_loader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/process/stop_request.h"
#include "io/media/image_transform.h"

namespace lynceus::io {

MediaLoader::MediaLoader(std::vector<const Dataset*> datasets, const TransformConfig& config,
                         int threads, const Stream& stream)
    : datasets_(std::move(datasets)), config_(config), stream_(stream) {
  LYNCEUS_CHECK(threads > 0 && config.depth > 0 && config.image_size > 0,
                "{} threads, depth {}, image size {}", threads, config.depth, config.image_size);
  LYNCEUS_CHECK(stream.device().is_cpu(), "media are loaded into host memory");
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

MediaLoader::~MediaLoader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_available_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void MediaLoader::request(std::vector<MediaRequest> requests) {
  auto batch = std::make_shared<Batch>();
  batch->results.resize(requests.size());
  batch->errors.resize(requests.size());
  batch->requests = std::move(requests);
  {
    const std::lock_guard lock(mutex_);
    batches_.push_back(std::move(batch));
  }
  work_available_.notify_all();
}

std::vector<LoadedMedia> MediaLoader::take() {
  std::shared_ptr<Batch> batch;
  {
    std::unique_lock lock(mutex_);
    LYNCEUS_CHECK(!batches_.empty(), "take() without a request()");
    batch = batches_.front();
    batch_finished_.wait(lock, [&] { return batch->finished == batch->requests.size(); });
    batches_.pop_front();
  }
  work_available_.notify_all();  // one more batch is now within the depth
  for (const std::exception_ptr& error : batch->errors) {
    if (error) std::rethrow_exception(error);
  }
  return std::move(batch->results);
}

void MediaLoader::wait_or_stop() {
  constexpr std::chrono::milliseconds kLook{20};
  std::unique_lock lock(mutex_);
  LYNCEUS_CHECK(!batches_.empty(), "wait_or_stop() without a request()");
  const std::shared_ptr<Batch> batch = batches_.front();
  while (!batch_finished_.wait_for(lock, kLook,
                                   [&] { return batch->finished == batch->requests.size(); }))
    if (stop_is_requested()) return;
}

size_t MediaLoader::pending() const {
  const std::lock_guard lock(mutex_);
  return batches_.size();
}

std::shared_ptr<MediaLoader::Batch> MediaLoader::next_with_work() const {
  const size_t reach = std::min(batches_.size(), static_cast<size_t>(config_.depth));
  for (size_t i = 0; i < reach; ++i) {
    if (batches_[i]->started < batches_[i]->requests.size()) return batches_[i];
  }
  return nullptr;
}

void MediaLoader::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    std::shared_ptr<Batch> batch;
    work_available_.wait(lock, [&] { return stopping_ || (batch = next_with_work()) != nullptr; });
    if (stopping_) return;
    const size_t item = batch->started++;
    lock.unlock();
    try {
      batch->results[item] = load(batch->requests[item]);
    } catch (...) {
      batch->errors[item] = std::current_exception();
    }
    lock.lock();
    if (++batch->finished == batch->requests.size()) batch_finished_.notify_all();
  }
}

LoadedMedia MediaLoader::load(const MediaRequest& request) const {
  LYNCEUS_CHECK(request.dataset >= 0 && request.dataset < static_cast<int>(datasets_.size()),
                "dataset {} of {}", request.dataset, datasets_.size());
  const Dataset& dataset = *datasets_[static_cast<size_t>(request.dataset)];
  const int count = dataset.media_count(request.sample);
  const int64_t size = config_.image_size;
  LoadedMedia media;
  media.pixels = Tensor::empty(stream_, {count, 3, size, size}, DType::kF32, MemoryOwner::kInput);
  for (int i = 0; i < count; ++i) {
    load_image(request, i, media.pixels.data<float>() + i * 3 * size * size, media);
  }
  return media;
}

void MediaLoader::load_image(const MediaRequest& request, int index, float* pixels,
                             LoadedMedia& media) const {
  const Dataset& dataset = *datasets_[static_cast<size_t>(request.dataset)];
  const auto replace = [&](const std::string& reason) {
    const int64_t size = config_.image_size;
    std::fill_n(pixels, 3 * size * size, 0.0f);
    if (!media.damaged) media.reason = reason;
    media.damaged = true;
  };
  std::string encoded;
  try {
    encoded = dataset.read_media(request.sample, index);
  } catch (const InputError& error) {
    return replace(error.what());
  }
  try {
    const std::string name = fmt::format("{}, media {}", dataset.describe(request.sample), index);
    const Image image =
        decode_image(encoded, name, config_.limits, config_.scaled_decode ? config_.image_size : 0);
    // All frames of a video get the same crop; each separate image gets its own.
    const bool frames = dataset.kind(request.sample) == MediaKind::kFrames;
    const auto media_index = frames ? 0 : static_cast<uint64_t>(index);
    normalize(config_.augment ? training_transform(image, config_.image_size, config_.seed,
                                                   request.augment_index, media_index)
                              : evaluation_transform(image, config_.image_size),
              pixels);
  } catch (const InputError& error) {
    replace(error.what());
  }
}

}  // namespace lynceus::io
