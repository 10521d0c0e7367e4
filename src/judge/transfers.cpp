#include "judge/transfers.h"

#include <curl/curl.h>

#include <algorithm>
#include <map>
#include <new>
#include <utility>

#include "core/check.h"
#include "core/error.h"

namespace lynceus::judge {
namespace {

constexpr size_t kMostBytes = 4 << 20;

struct Transfer {
  HttpReply reply;
  std::string request;
  curl_slist* headers = nullptr;
  char message[CURL_ERROR_SIZE] = {};

  ~Transfer() { curl_slist_free_all(headers); }
  void add_header(const std::string& text) {
    curl_slist* longer = curl_slist_append(headers, text.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    headers = longer;
  }
};

size_t receive(char* bytes, size_t size, size_t count, void* target) {
  std::string& body = static_cast<Transfer*>(target)->reply.body;
  if (body.size() + size * count > kMostBytes) return 0;  // ends the transfer
  body.append(bytes, size * count);
  return size * count;
}

template <typename Value>
void set(CURL* handle, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(handle, option, value);
  if (code != CURLE_OK)
    throw InternalError("libcurl: option {}: {}", static_cast<int>(option),
                        curl_easy_strerror(code));
}

void expect_ok(CURLMcode code) {
  if (code != CURLM_OK) throw IoError("libcurl: {}", curl_multi_strerror(code));
}

}  // namespace

struct Transfers::Impl {
  std::string url;
  ApiKey key;
  long timeout_ms = 0;
  CURLM* multi = nullptr;
  std::map<CURL*, std::unique_ptr<Transfer>> transfers;

  void remove(CURL* handle) {
    curl_multi_remove_handle(multi, handle);
    curl_easy_cleanup(handle);
  }
  HttpReply take(CURL* handle, CURLcode code) {
    const auto found = transfers.find(handle);
    LYNCEUS_CHECK(found != transfers.end(), "an unknown transfer has ended");
    Transfer& transfer = *found->second;
    HttpReply reply = std::move(transfer.reply);
    curl_off_t seconds = 0;
    if (curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0)
      reply.retry_after = static_cast<double>(seconds);
    if (code == CURLE_OK)
      curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &reply.status);
    else
      reply.failure = transfer.message[0] != '\0' ? transfer.message : curl_easy_strerror(code);
    remove(handle);
    transfers.erase(found);
    return reply;
  }
};

Transfers::Transfers(std::string url, const ApiKey& key, double timeout_seconds)
    : impl_(std::make_unique<Impl>()) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw IoError("libcurl does not start");
  impl_->url = std::move(url);
  impl_->key = key;
  impl_->timeout_ms = std::max(1L, static_cast<long>(timeout_seconds * 1000));
  impl_->multi = curl_multi_init();
  if (impl_->multi == nullptr) throw IoError("libcurl: no memory");
}

Transfers::~Transfers() {
  for (const auto& [handle, transfer] : impl_->transfers) impl_->remove(handle);
  impl_->transfers.clear();
  curl_multi_cleanup(impl_->multi);
  curl_global_cleanup();
}

void Transfers::start(size_t tag, const std::string& body) {
  CURL* handle = curl_easy_init();
  if (handle == nullptr) throw IoError("libcurl: no memory");
  auto& transfer = impl_->transfers[handle];
  transfer = std::make_unique<Transfer>();
  transfer->reply.tag = tag;
  transfer->request = body;
  transfer->add_header("Content-Type: application/json");
  if (!impl_->key.empty()) transfer->add_header(impl_->key.header());
  set(handle, CURLOPT_URL, impl_->url.c_str());
  set(handle, CURLOPT_POSTFIELDS, transfer->request.c_str());
  set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer->request.size()));
  set(handle, CURLOPT_HTTPHEADER, transfer->headers);
  set(handle, CURLOPT_USERAGENT, "lynceus-judge");
  set(handle, CURLOPT_FOLLOWLOCATION, 0L);
  set(handle, CURLOPT_TIMEOUT_MS, impl_->timeout_ms);
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_ACCEPT_ENCODING, "");
  set(handle, CURLOPT_ERRORBUFFER, transfer->message);
  set(handle, CURLOPT_WRITEFUNCTION, receive);
  set(handle, CURLOPT_WRITEDATA, transfer.get());
  expect_ok(curl_multi_add_handle(impl_->multi, handle));
}

size_t Transfers::running() const { return impl_->transfers.size(); }

std::vector<HttpReply> Transfers::wait(double seconds) {
  int left = 0;
  expect_ok(curl_multi_perform(impl_->multi, &left));
  if (static_cast<size_t>(left) == running()) {
    const int most = std::max(0, static_cast<int>(seconds * 1000));
    expect_ok(curl_multi_poll(impl_->multi, nullptr, 0, most, nullptr));
    expect_ok(curl_multi_perform(impl_->multi, &left));
  }
  std::vector<HttpReply> ended;
  for (int queued = 0; CURLMsg* message = curl_multi_info_read(impl_->multi, &queued);) {
    if (message->msg != CURLMSG_DONE) continue;
    ended.push_back(impl_->take(message->easy_handle, message->data.result));
  }
  return ended;
}

}  // namespace lynceus::judge
