#pragma once
// How many connections each client address has, so that one of them cannot take all.

#include <boost/asio/ip/address.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace ranged::server {

class ClientLimits;

/// A connection's place among those of its address; gives it back when destroyed. Empty for a connection that is not
/// counted. May be moved to and destroyed on another thread.
class ClientSlot {
 public:
  ClientSlot() noexcept = default;
  ClientSlot(ClientSlot&& other) noexcept;
  ClientSlot& operator=(ClientSlot&& other) noexcept;
  ~ClientSlot() { release(); }

 private:
  friend class ClientLimits;
  ClientSlot(ClientLimits& limits, const boost::asio::ip::address& address) noexcept
      : limits_(&limits), address_(address) {}
  void release() noexcept;

  ClientLimits* limits_ = nullptr;
  boost::asio::ip::address address_;
};

/// Thread-safe. Outlives its slots. Memory: an entry for each address that is connected now.
class ClientLimits {
 public:
  /// `limit` connections of one address at most.
  explicit ClientLimits(std::size_t limit) noexcept : limit_(limit) {}

  /// Takes a place for `address`; false when it has all of its own already. An IPv6 client counts by its /64 network,
  /// which is what one subscriber gets (RFC 6177).
  [[nodiscard]] bool take(const boost::asio::ip::address& address, ClientSlot& slot);
  [[nodiscard]] std::size_t addresses() const;
  /// Another limit from now on; places that are taken stay.
  void use(std::size_t limit);

 private:
  friend class ClientSlot;
  void give_back(const boost::asio::ip::address& address) noexcept;

  mutable std::mutex mutex_;  ///< guards what follows
  std::size_t limit_;
  std::unordered_map<boost::asio::ip::address, std::size_t> counts_;
};

}  // namespace ranged::server
