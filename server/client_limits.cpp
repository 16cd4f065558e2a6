#include "server/client_limits.hpp"

#include <algorithm>
#include <utility>

namespace ranged::server {

namespace ip = boost::asio::ip;

namespace {

ip::address network_of(const ip::address& address) {
  if (address.is_v4()) return address;
  ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, v6);
  ip::address_v6::bytes_type bytes = v6.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  return ip::address_v6(bytes);
}

}  // namespace

ClientSlot::ClientSlot(ClientSlot&& other) noexcept
    : limits_(std::exchange(other.limits_, nullptr)), address_(std::move(other.address_)) {}

ClientSlot& ClientSlot::operator=(ClientSlot&& other) noexcept {
  if (this != &other) {
    release();
    limits_ = std::exchange(other.limits_, nullptr);
    address_ = other.address_;
  }
  return *this;
}

void ClientSlot::release() noexcept {
  if (limits_ != nullptr) std::exchange(limits_, nullptr)->give_back(address_);
}

bool ClientLimits::take(const ip::address& address, ClientSlot& slot) {
  const ip::address network = network_of(address);
  const std::lock_guard lock(mutex_);
  std::size_t& count = counts_[network];  // may throw, and then nothing is taken
  if (count >= limit_) return false;
  ++count;
  slot = ClientSlot(*this, network);
  return true;
}

void ClientLimits::use(std::size_t limit) {
  const std::scoped_lock lock(mutex_);
  limit_ = limit;
}

std::size_t ClientLimits::addresses() const {
  const std::lock_guard lock(mutex_);
  return counts_.size();
}

void ClientLimits::give_back(const ip::address& address) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(address);
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

}  // namespace ranged::server
