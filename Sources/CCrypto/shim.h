#ifndef TAUTLINE_CCRYPTO_H
#define TAUTLINE_CCRYPTO_H
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#endif
