// Collectives go through the slots piece by piece, messages through the channels packet by packet.
#include "tests/standin/nccl_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "tests/standin/device_memory.h"
#include "tests/standin/nccl_arithmetic.h"
#include "tests/standin/nccl_residence.h"
#include "tests/standin/queue.h"

namespace lynceus::standin {
namespace {

using Clock = std::chrono::steady_clock;

void check_memory(const void* data) {
  check_not_freed(data);
  if (!is_device_memory(data)) fail("NCCL: memory that is not the device's");
}

/// A collective in progress: piece by piece through the slots.
class Collective {
 public:
  Collective(std::shared_ptr<Group> group, Piece call, const void* x, void* y)
      : group_(std::move(group)),
        piece_(call),
        x_(static_cast<const char*>(x)),
        y_(static_cast<char*>(y)),
        width_(bytes_of(call.dtype)) {
    const int64_t parts = call.kind == Kind::kReduceScatter ? group_->segment.size() : 1;
    longest_ = static_cast<int64_t>(kSlotBytes) / width_ / parts;
  }

  /// Continues, and returns whether it is done.
  bool advance() {
    if (group_->aborted) return end();
    Segment& segment = group_->segment;
    while (piece_.begin < piece_.count) {
      const int64_t round = group_->rounds;
      if (!posted_ && !post(round)) return stay();
      for (int rank = 0; rank < segment.size(); ++rank)
        if (segment.state(rank).posted <= round) return stay();
      for (int rank = 0; rank < segment.size(); ++rank)
        if (const Piece& other = segment.state(rank).piece; !(other == piece_))
          fail(fmt::format("NCCL: rank {} calls {}, rank {} calls {}", segment.rank(),
                           describe(piece_), rank, describe(other)));
      take();
      posted_ = false;
      piece_.begin += length();
      group_->rounds = round + 1;
      segment.state(segment.rank()).consumed = round + 1;
      since_ = {};
    }
    return end();
  }

 private:
  int64_t length() const { return std::min(longest_, piece_.count - piece_.begin); }

  bool post(int64_t round) {
    Segment& segment = group_->segment;
    for (int rank = 0; rank < segment.size(); ++rank)
      if (segment.state(rank).consumed < round) return false;
    const auto bytes = static_cast<size_t>(length() * width_);
    char* const slot = segment.slot(segment.rank());
    if (piece_.kind == Kind::kReduceScatter) {
      check_memory(x_);
      for (int64_t rank = 0; rank < segment.size(); ++rank)
        std::memcpy(slot + static_cast<size_t>(rank) * bytes,
                    x_ + (rank * piece_.count + piece_.begin) * width_, bytes);
    } else if (piece_.kind != Kind::kBroadcast || piece_.root == segment.rank()) {
      check_memory(x_);
      std::memcpy(slot, x_ + piece_.begin * width_, bytes);
    }
    segment.state(segment.rank()).piece = piece_;
    segment.state(segment.rank()).posted = round + 1;
    return posted_ = true;
  }

  void take() {
    check_memory(y_);
    const Segment& segment = group_->segment;
    const int64_t bytes = length() * width_;
    char* const y = y_ + piece_.begin * width_;
    switch (piece_.kind) {
      case Kind::kAllReduce:
        return reduce(
            piece_.dtype, piece_.op, segment.size(), length(),
            [&](int rank) { return segment.slot(rank); }, y);
      case Kind::kReduceScatter:
        return reduce(
            piece_.dtype, piece_.op, segment.size(), length(),
            [&](int rank) { return segment.slot(rank) + segment.rank() * bytes; }, y);
      case Kind::kAllGather:
        for (int64_t rank = 0; rank < segment.size(); ++rank)
          std::memcpy(y + rank * piece_.count * width_, segment.slot(static_cast<int>(rank)),
                      static_cast<size_t>(bytes));
        return;
      case Kind::kBroadcast:
        std::memcpy(y, segment.slot(piece_.root), static_cast<size_t>(bytes));
        return;
    }
  }

  bool stay() {
    if (since_ == Clock::time_point{}) since_ = Clock::now();
    group_->wait(since_, describe(piece_));
    return false;
  }
  bool end() {
    group_->segment.state(group_->segment.rank()).waits = false;
    --group_->outstanding;
    return true;
  }

  std::shared_ptr<Group> group_;
  Piece piece_;
  const char* x_;
  char* y_;
  int64_t width_;
  int64_t longest_;
  bool posted_ = false;
  Clock::time_point since_;
};

/// Sends and receives in progress: in order for each pair and direction, otherwise in any order.
class Exchange {
 public:
  Exchange(std::shared_ptr<Group> group, std::vector<Message> messages)
      : group_(std::move(group)), messages_(std::move(messages)) {}

  bool advance() {
    if (group_->aborted) return end();
    bool moved = true, open = false;
    while (moved) {
      moved = open = false;
      std::vector<std::pair<int, bool>> busy;  // channels whose earlier message is not complete
      for (Message& message : messages_) {
        const std::pair channel(message.peer, message.receive);
        if (is_done(message)) continue;
        open = true;
        if (std::find(busy.begin(), busy.end(), channel) != busy.end()) continue;
        busy.push_back(channel);
        moved |= message.receive ? receive(&message) : send(&message);
      }
    }
    if (!open) return end();
    if (since_ == Clock::time_point{}) since_ = Clock::now();
    group_->wait(since_, fmt::format("an exchange of {} messages", messages_.size()));
    return false;
  }

 private:
  static bool is_done(const Message& message) {
    return message.moved == message.count && !message.waits;
  }

  bool send(Message* message) {
    const int me = group_->segment.rank();
    Channel& channel = group_->segment.channel(me, message->peer);
    if (channel.posted != channel.consumed) return false;
    if (message->waits && message->moved == message->count) {
      message->waits = false;  // the receiver has all of it
      return true;
    }
    check_memory(message->data);
    const int64_t width = bytes_of(message->dtype);
    const int64_t length =
        std::min(static_cast<int64_t>(kChannelBytes) / width, message->count - message->moved);
    std::memcpy(group_->segment.channel_data(me, message->peer),
                message->data + message->moved * width, static_cast<size_t>(length * width));
    channel.packet = {message->dtype, message->count, message->moved, length * width};
    message->moved += length;
    message->waits = true;
    ++channel.posted;
    return true;
  }

  bool receive(Message* message) {
    const int me = group_->segment.rank();
    Channel& channel = group_->segment.channel(message->peer, me);
    if (channel.posted == channel.consumed) return false;
    const Packet& packet = channel.packet;
    if (packet.dtype != message->dtype || packet.count != message->count ||
        packet.begin != message->moved)
      fail(fmt::format("NCCL: rank {} receives {} elements of type {}, rank {} sends {} of type {}",
                       me, message->count, message->dtype, message->peer, packet.count,
                       packet.dtype));
    check_memory(message->data);
    const int64_t width = bytes_of(message->dtype);
    std::memcpy(message->data + message->moved * width,
                group_->segment.channel_data(message->peer, me), static_cast<size_t>(packet.bytes));
    message->moved += packet.bytes / width;
    ++channel.consumed;
    return true;
  }

  bool end() {
    group_->segment.state(group_->segment.rank()).waits = false;
    --group_->outstanding;
    return true;
  }

  std::shared_ptr<Group> group_;
  std::vector<Message> messages_;
  Clock::time_point since_;
};

template <typename Work>
void enqueue_call(const std::shared_ptr<Group>& group, void* stream, std::shared_ptr<Work> work) {
  ++group->outstanding;
  const int64_t ticket = residence().submit();
  enqueue_tries(stream, [group, ticket, work] {
    if (!group->aborted && !residence().enter(ticket)) return false;
    if (!work->advance()) return false;
    residence().leave(ticket);
    return true;
  });
}

}  // namespace

void Group::wait(std::chrono::steady_clock::time_point since, const std::string& what) {
  static const int64_t limit = from_environment("LYNCEUS_STANDIN_TIMEOUT", 60);
  segment.state(segment.rank()).waits = true;
  if (Clock::now() - since < std::chrono::seconds(limit)) return;
  std::string progress;
  for (int rank = 0; rank < segment.size(); ++rank)
    progress += fmt::format(" {}", segment.state(rank).posted.load());
  fail(fmt::format("NCCL: rank {} of {} waits for {} s in {}; pieces posted by rank:{}",
                   segment.rank(), segment.size(), limit, what, progress));
}

void enqueue_collective(const std::shared_ptr<Group>& group, void* stream, const Piece& call,
                        const void* x, void* y) {
  enqueue_call(group, stream, std::make_shared<Collective>(group, call, x, y));
}

void enqueue_exchange(const std::shared_ptr<Group>& group, void* stream,
                      const std::vector<Message>& messages) {
  enqueue_call(group, stream, std::make_shared<Exchange>(group, messages));
}

}  // namespace lynceus::standin
