#include "server/tls_context.hpp"

#include "server/access_control.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string_view>

namespace ranged::server {

namespace {

/// TLS 1.2 as RFC 9325, 4.2 recommends it: forward secrecy and authenticated encryption alone. Those of 1.3 all are.
constexpr const char* ciphers_of_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20";

/// In the wire form of RFC 7301, 3.1.
constexpr unsigned char protocols[] = "\x08http/1.1";

/// Who names protocols and not ours is told so (RFC 7301, 3.2), rather than sent what it does not understand.
int choose_protocol(SSL* /*unused*/, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned offered_size, void* /*unused*/) {
  unsigned char* selected = nullptr;
  const int outcome =
      ::SSL_select_next_proto(&selected, chosen_size, protocols, sizeof protocols - 1, offered, offered_size);
  *chosen = selected;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// The first thing that OpenSSL has to say, without the codes.
std::string reason_of_failure() {
  const unsigned long code = ::ERR_peek_error();
  const char* const reason = ::ERR_reason_error_string(code);
  std::string text = reason != nullptr ? reason : "it is not what it should be";
  ::ERR_clear_error();
  return text;
}

}  // namespace

TlsContext::Loaded TlsContext::load(const std::string& certificate, const std::string& key) {
  Loaded loaded;
  const std::string& key_path = key.empty() ? certificate : key;
  ::ERR_clear_error();
  SSL_CTX* const ssl_context = ::SSL_CTX_new(::TLS_server_method());
  if (ssl_context == nullptr) {
    loaded.problem = fmt::format("TLS cannot be set up: {}", reason_of_failure());
    return loaded;
  }
  const auto context = std::make_shared<const TlsContext>(ssl_context);
  ::SSL_CTX_set_min_proto_version(ssl_context, TLS1_2_VERSION);
  ::SSL_CTX_set_cipher_list(ssl_context, ciphers_of_1_2);
  ::SSL_CTX_set_options(ssl_context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Buffers of 16 KiB each way exist only while records are under way.
  ::SSL_CTX_set_mode(ssl_context, SSL_MODE_RELEASE_BUFFERS);
  // Sessions are resumed by tickets, which the client keeps; a cache would grow with the number of clients.
  ::SSL_CTX_set_session_cache_mode(ssl_context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(ssl_context, 1);
  ::SSL_CTX_set_alpn_select_cb(ssl_context, choose_protocol, nullptr);
  if (::SSL_CTX_use_certificate_chain_file(ssl_context, certificate.c_str()) != 1) {
    loaded.problem =
        fmt::format("tls_certificate {} cannot be used: {}; a PEM file of the certificate and its chain would do",
                    certificate, reason_of_failure());
    return loaded;
  }
  if (::SSL_CTX_use_PrivateKey_file(ssl_context, key_path.c_str(), SSL_FILETYPE_PEM) != 1 ||
      ::SSL_CTX_check_private_key(ssl_context) != 1) {
    loaded.problem = fmt::format("tls_key {} cannot be used: {}; a PEM file of the certificate's private key would do",
                                 key_path, reason_of_failure());
    return loaded;
  }
  if (others_may_read(key_path)) {
    loaded.warning = fmt::format("every user of this machine may read tls_key {}; chmod o-r would do", key_path);
  }
  loaded.context = context;
  return loaded;
}

TlsContext::~TlsContext() {
  ::SSL_CTX_free(context_);
}

}  // namespace ranged::server
