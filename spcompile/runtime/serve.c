/* A TVM RPC server without Python: `serve LISTENING_SOCKET KEY` answers one client and ends with it.
 *
 * TVM's runtime has the protocol (rpc.ServerLoop); what is here is the handshake before it, as in tvm/rpc/server.py, and the two
 * functions that server.py registers. Files live in the current folder. Only TVM's C interface is used, so any C library's C++ fits. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <tvm/ffi/c_api.h>
#include <unistd.h>

enum { MAGIC = 0xff271, MISMATCH = MAGIC + 2 };

static void require(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "serve: %s\n", what);
    exit(1);
}

static TVMFFIByteArray bytes(const char *text) { return (TVMFFIByteArray){text, strlen(text)}; }

static TVMFFIObjectHandle global(const char *name) {
    TVMFFIByteArray key = bytes(name);
    TVMFFIObjectHandle found = NULL;
    require(TVMFFIFunctionGetGlobal(&key, &found) == 0 && found, name);
    return found;
}

static void publish(const char *name, TVMFFISafeCallType call) {
    TVMFFIByteArray key = bytes(name);
    TVMFFIObjectHandle made = NULL;
    require(TVMFFIFunctionCreate(NULL, call, NULL, &made) == 0 && TVMFFIFunctionSetGlobal(&key, made, 1) == 0, name);
}

/* file name -> "./" and the file name: the loader looks for a name without a slash elsewhere. */
static int workpath(void *self, const TVMFFIAny *args, int32_t count, TVMFFIAny *result) {
    (void)self, (void)count;
    TVMFFIAny name = {0};
    char path[4096];
    if (TVMFFIAnyViewToOwnedAny(args, &name)) return -1;
    int small = name.type_index == kTVMFFISmallStr;
    TVMFFIByteArray text = small ? (TVMFFIByteArray){name.v_bytes, name.small_str_len} : *(TVMFFIByteArray *)(name.v_obj + 1);
    snprintf(path, sizeof path, "./%.*s", (int)text.size, text.data);
    if (!small) TVMFFIObjectDecRef(name.v_obj);
    text = bytes(path);
    return TVMFFIStringFromByteArray(&text, result);
}

static int load_module(void *self, const TVMFFIAny *args, int32_t count, TVMFFIAny *result) {
    TVMFFIAny path = {0};
    return workpath(self, args, count, &path) || TVMFFIFunctionCall(global("ffi.ModuleLoadFromFile"), &path, 1, result);
}

static void receive(int connection, void *data, size_t size) {
    require(recv(connection, data, size, MSG_WAITALL) == (ssize_t)size, "the client went away during the handshake");
}

/* client: magic, length, "client:KEY"; we: magic, length, "server:KEY". */
static void shake_hands(int connection, const char *key) {
    int32_t word, length;
    char expected[256], given[256] = "";
    snprintf(expected, sizeof expected, "client:%s", key);
    receive(connection, &word, sizeof word);
    receive(connection, &length, sizeof length);
    require(word == MAGIC && length > 0 && length < (int)sizeof given, "not a TVM RPC client");
    receive(connection, given, length);
    word = strcmp(given, expected) ? MISMATCH : MAGIC;
    send(connection, &word, sizeof word, 0);
    require(word == MAGIC, "a client with another key");
    memcpy(expected, "server", strlen("server"));
    send(connection, &length, sizeof length, 0);
    send(connection, expected, length, 0);
}

int main(int argc, char **argv) {
    require(argc == 3, "usage: serve LISTENING_SOCKET KEY");
    require(dlopen("libtvm_runtime.so", RTLD_NOW | RTLD_GLOBAL) != NULL, "libtvm_runtime.so does not load");
    publish("tvm.rpc.server.workpath", workpath);
    publish("tvm.rpc.server.load_module", load_module);
    int listener = atoi(argv[1]), connection = accept(listener, NULL, NULL);
    require(connection >= 0, "nobody to accept");
    close(listener);
    shake_hands(connection, argv[2]);
    TVMFFIAny argument = {.type_index = kTVMFFIInt, .v_int64 = connection}, result = {0};
    return TVMFFIFunctionCall(global("rpc.ServerLoop"), &argument, 1, &result) ? 1 : 0;
}
