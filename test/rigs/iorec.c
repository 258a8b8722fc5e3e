/*
 * iorec: an LD_PRELOAD shim that writes down every change a process makes to the files below one folder, in order,
 * so that a replayer can rebuild each state a power cut could have left; and that makes such changes fail on request.
 *
 * It must never change what the process sees unless a fault was asked for, and never leave out a change silently:
 * what it cannot describe it records as '?', and the replayer refuses such a recording.
 *
 *   build   gcc -shared -fPIC -O2 -o iorec.so iorec.c -ldl -lpthread
 *   HOLDFAST_IOREC_ROOT  the folder to watch (absolute, no link in it, no slash at its end)
 *   HOLDFAST_IOREC_LOG   the recording, appended to (so two runs in a row make one recording); may be left out
 *   HOLDFAST_IOREC_FAULT a control file. While it exists, its words "<ops>:<errno>:<count>" make the next <count> changes of
 *                        these kinds fail (0: all, until the file goes). Write a new file, and rename it into place.
 *
 * A record is "<op> <inode> <offset> <length> <path>\n" + <length> bytes + "\n"; paths are relative to the root:
 *   C file made      T truncated to offset   W written at offset   R renamed (bytes: new path)   U unlinked
 *   M folder made    X folder removed        B sync begins         S file synced   D folder synced
 *   A a note of the program itself: <inode> is the number it has acknowledged so far
 * Kinds of fault:
 *   C create   W write, nothing of it done   P write, half of it done   F flush of a stdio buffer   S sync of a file
 *   D sync of a folder   R rename   U unlink   M make folder   T truncate
 *
 * LevelDB's own diary, LOG, is left out: it holds no rows.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#undef fwrite_unlocked
#undef fflush_unlocked

#define DESCRIPTORS 8192
#define REAL(result, name, ...)                                                                                        \
  static result (*real_##name)(__VA_ARGS__);                                                                           \
  if (!real_##name) real_##name = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

typedef struct { char *path; ino_t inode; int folder; off_t end; int appends; } Watched;

static Watched watched[DESCRIPTORS];
static const char *root, *control;
static size_t root_length;
static int log_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int real_open_file(const char *path, int flags, int mode) {
  REAL(int, open64, const char *, int, ...);
  return real_open64(path, flags, mode);
}
static int real_close_file(int fd) { REAL(int, close, int); return real_close(fd); }

__attribute__((constructor)) static void start(void) {
  root = getenv("HOLDFAST_IOREC_ROOT");
  if (!root) return;
  root_length = strlen(root);
  control = getenv("HOLDFAST_IOREC_FAULT");
  const char *log = getenv("HOLDFAST_IOREC_LOG");
  if (log) log_fd = real_open_file(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/* ---- which files ---- */

/* The path below the root ("." for the root itself), or NULL if it is elsewhere or left out. `buffer` holds PATH_MAX. */
static const char *below(int dirfd, const char *path, char *buffer) {
  if (!root || !path) return NULL;
  if (*path != '/') {
    char link[64];
    if (dirfd == AT_FDCWD) { if (!getcwd(buffer, PATH_MAX)) return NULL; }
    else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
      ssize_t length = readlink(link, buffer, PATH_MAX - 1);
      if (length < 0) return NULL;
      buffer[length] = 0;
    }
    size_t used = strlen(buffer);
    while (path[0] == '.' && path[1] == '/') path += 2;
    snprintf(buffer + used, PATH_MAX - used, "/%s", path);
  } else snprintf(buffer, PATH_MAX, "%s", path);
  size_t length = strlen(buffer);
  while (length > 1 && buffer[length - 1] == '/') buffer[--length] = 0;
  if (strncmp(buffer, root, root_length) || (buffer[root_length] && buffer[root_length] != '/')) return NULL;
  const char *rest = buffer[root_length] ? buffer + root_length + 1 : ".";
  const char *name = strrchr(rest, '/');
  name = name ? name + 1 : rest;
  return strcmp(name, "LOG") && strcmp(name, "LOG.old") ? rest : NULL;
}

static Watched *at(int fd) { return fd >= 0 && fd < DESCRIPTORS && watched[fd].path ? &watched[fd] : NULL; }
static void forget(int fd) {
  Watched *file = at(fd);
  if (file) { free(file->path); file->path = NULL; }
}

/* ---- the recording ---- */

static void record(char op, uint64_t inode, off_t offset, const char *path, const void *data, size_t length) {
  if (log_fd < 0) return;
  char head[PATH_MAX + 96];
  int size = snprintf(head, sizeof head, "%c %llu %lld %zu %s\n", op, (unsigned long long)inode, (long long)offset, length, path);
  struct iovec parts[3] = {{head, size}, {(void *)data, length}, {"\n", 1}};
  REAL(ssize_t, writev, int, const struct iovec *, int);
  if (real_writev(log_fd, parts, 3) != (ssize_t)(size + length + 1)) abort(); /* half a recording is worse than none */
}

static void watch(int fd, const char *path, int existed, int flags) {
  struct stat facts;
  if (fd < 0 || fd >= DESCRIPTORS || fstat(fd, &facts)) return;
  forget(fd);
  Watched *file = &watched[fd];
  file->inode = facts.st_ino;
  file->folder = S_ISDIR(facts.st_mode);
  file->end = 0;
  file->appends = (flags & O_APPEND) != 0;
  file->path = strdup(path);
  if (file->folder) return;
  if (!existed) record('C', file->inode, 0, path, "", 0);
  else if (flags & O_TRUNC) record('T', file->inode, 0, path, "", 0);
  else file->end = facts.st_size;
}

/* ---- faults ---- */

static int number_of(const char *name) {
  static const struct { const char *name; int number; } known[] = {
    {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"EMFILE", EMFILE}, {"EDQUOT", EDQUOT}, {"EACCES", EACCES}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) if (!strcmp(name, known[i].name)) return known[i].number;
  return EIO;
}

/* The errno to fail with, or 0. A new control file (another inode or time) starts a new count. */
static int fault(char op) {
  static struct { ino_t inode; struct timespec made; } seen; static long left; static char ops[16]; static int number;
  struct stat facts;
  int result = 0;
  if (!control) return 0;
  int before = errno;
  pthread_mutex_lock(&lock);
  if (!stat(control, &facts)) {
    if (facts.st_ino != seen.inode || memcmp(&facts.st_mtim, &seen.made, sizeof seen.made)) {
      char text[64] = {0}, name[16] = {0};
      long count = 0;
      int fd = real_open_file(control, O_RDONLY | O_CLOEXEC, 0);
      ssize_t length = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
      if (fd >= 0) real_close_file(fd);
      if (length > 0 && sscanf(text, "%15[^:]:%15[^:]:%ld", ops, name, &count) == 3) {
        seen.inode = facts.st_ino;
        seen.made = facts.st_mtim;
        number = number_of(name);
        left = count == 0 ? LONG_MAX : count;
      }
    }
    if (left > 0 && strchr(ops, op)) { left--; result = number; }
  } else seen.inode = 0, left = 0;
  pthread_mutex_unlock(&lock);
  errno = before;
  return result;
}
#define FAIL(op, bad) do { int number_ = fault(op); if (number_) { errno = number_; return bad; } } while (0)

/* ---- open, close ---- */

static int open_at(int dirfd, const char *path, int flags, int mode) {
  REAL(int, openat64, int, const char *, int, ...);
  char buffer[PATH_MAX];
  const char *name = below(dirfd, path, buffer);
  if (!name) { int fd = real_openat64(dirfd, path, flags, mode); forget(fd); return fd; }
  int makes = (flags & O_CREAT) != 0, existed = !makes || !faccessat(dirfd, path, F_OK, 0);
  if (makes && !existed) FAIL('C', -1);
  if (!(flags & O_CREAT) && (flags & O_TRUNC)) FAIL('T', -1);
  int fd = real_openat64(dirfd, path, flags, mode);
  if (fd >= 0) watch(fd, name, existed, flags);
  return fd;
}
#define MODE(flags) int mode = 0; if ((flags) & (O_CREAT | O_TMPFILE)) { va_list a; va_start(a, flags); mode = va_arg(a, int); va_end(a); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int openat64(int dirfd, const char *path, int flags, ...) { MODE(flags) return open_at(dirfd, path, flags, mode); }
int openat(int dirfd, const char *path, int flags, ...) { MODE(flags) return open_at(dirfd, path, flags, mode); }

static FILE *open_stream(const char *path, const char *how, FILE *(*real)(const char *, const char *)) {
  char buffer[PATH_MAX];
  const char *name = *how == 'r' && !strchr(how, '+') ? NULL : below(AT_FDCWD, path, buffer);
  if (!name) return real(path, how);
  int existed = !access(path, F_OK);
  if (!existed) FAIL('C', NULL);
  FILE *stream = real(path, how);
  if (stream) watch(fileno(stream), name, existed, *how == 'w' ? O_TRUNC : *how == 'a' ? O_APPEND : 0);
  return stream;
}
FILE *fopen64(const char *path, const char *how) { REAL(FILE *, fopen64, const char *, const char *); return open_stream(path, how, real_fopen64); }
FILE *fopen(const char *path, const char *how) { REAL(FILE *, fopen, const char *, const char *); return open_stream(path, how, real_fopen); }
int fclose(FILE *stream) { REAL(int, fclose, FILE *); if (stream) forget(fileno(stream)); return real_fclose(stream); }
int close(int fd) { forget(fd); return real_close_file(fd); }

/* ---- write ---- */

/* LevelDB appends through stdio: the offset is counted here, for the buffer is not in the file yet. */
size_t fwrite_unlocked(const void *data, size_t size, size_t count, FILE *stream) {
  REAL(size_t, fwrite_unlocked, const void *, size_t, size_t, FILE *);
  Watched *file = at(fileno(stream));
  if (!file || !size || !count) return real_fwrite_unlocked(data, size, count, stream);
  FAIL('W', 0);
  int number = size * count > 64 ? fault('P') : 0;
  size_t asked = number ? size * count / 2 : size * count;
  size_t done = real_fwrite_unlocked(data, 1, asked, stream);
  record('W', file->inode, file->end, file->path, data, done);
  file->end += done;
  if (number) { errno = number; return 0; }
  return done == asked ? count : done / size;
}
int fflush_unlocked(FILE *stream) {
  REAL(int, fflush_unlocked, FILE *);
  if (stream && at(fileno(stream))) FAIL('F', EOF);
  return real_fflush_unlocked(stream);
}

/* What the kernel took is read from the caller's own bytes: offset -1 stands for the descriptor's place. */
static ssize_t write_at(int fd, const struct iovec *parts, int count, off_t offset) {
  REAL(ssize_t, writev, int, const struct iovec *, int);
  REAL(ssize_t, pwritev64, int, const struct iovec *, int, off_t);
  Watched *file = at(fd);
  if (!file) return offset < 0 ? real_writev(fd, parts, count) : real_pwritev64(fd, parts, count, offset);
  FAIL('W', -1);
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  char *bytes = malloc(length + 1);
  if (!bytes) abort();
  size_t filled = 0;
  for (int i = 0; i < count; i++) { memcpy(bytes + filled, parts[i].iov_base, parts[i].iov_len); filled += parts[i].iov_len; }
  struct stat facts;
  off_t place = offset >= 0 ? offset : file->appends && !fstat(fd, &facts) ? facts.st_size : lseek(fd, 0, SEEK_CUR);
  /* The kernel tells of half a write by its count; the error comes with the next one, if it still stands. */
  struct iovec one = {bytes, length > 1 && fault('P') ? length / 2 : length};
  ssize_t done = offset < 0 ? real_writev(fd, &one, 1) : real_pwritev64(fd, &one, 1, offset);
  if (done > 0) record('W', file->inode, place, file->path, bytes, done);
  free(bytes);
  return done;
}
ssize_t write(int fd, const void *data, size_t length) {
  REAL(ssize_t, write, int, const void *, size_t);
  if (!at(fd)) return real_write(fd, data, length);
  struct iovec one = {(void *)data, length};
  return write_at(fd, &one, 1, -1);
}
ssize_t writev(int fd, const struct iovec *parts, int count) { return write_at(fd, parts, count, -1); }
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) { struct iovec one = {(void *)data, length}; return write_at(fd, &one, 1, offset); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) { return write_at(fd, parts, count, offset); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return write_at(fd, parts, count, offset); }

/* Copies inside the kernel: what arrived is read back. */
static void record_back(int fd, off_t offset, ssize_t length) {
  Watched *file = at(fd);
  char path[64];
  if (!file || length <= 0) return;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int reader = real_open_file(path, O_RDONLY | O_CLOEXEC, 0);
  char *bytes = malloc(length);
  if (reader < 0 || !bytes || pread(reader, bytes, length, offset) != length) record('?', file->inode, offset, file->path, "", 0);
  else record('W', file->inode, offset, file->path, bytes, length);
  free(bytes);
  if (reader >= 0) real_close_file(reader);
}
ssize_t sendfile64(int out, int in, off64_t *from, size_t length) {
  REAL(ssize_t, sendfile64, int, int, off64_t *, size_t);
  if (at(out)) FAIL('W', -1);
  off_t place = at(out) ? lseek(out, 0, SEEK_CUR) : 0;
  ssize_t done = real_sendfile64(out, in, from, length);
  record_back(out, place, done);
  return done;
}
long syscall(long number, ...) {
  REAL(long, syscall, long, ...);
  va_list rest;
  va_start(rest, number);
  long a[6];
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
#ifdef SYS_copy_file_range
  if (number == SYS_copy_file_range && at(a[2])) {
    FAIL('W', -1);
    off_t place = a[3] ? *(off_t *)a[3] : lseek(a[2], 0, SEEK_CUR);
    long done = real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    record_back(a[2], place, done);
    return done;
  }
#endif
  return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
static int truncate_to(int fd, off_t length, int (*real)(int, off_t)) {
  Watched *file = at(fd);
  if (file) FAIL('T', -1);
  int result = real(fd, length);
  if (!result && file) { record('T', file->inode, length, file->path, "", 0); file->end = length; }
  return result;
}
int ftruncate64(int fd, off_t length) { REAL(int, ftruncate64, int, off_t); return truncate_to(fd, length, real_ftruncate64); }
int ftruncate(int fd, off_t length) { REAL(int, ftruncate, int, off_t); return truncate_to(fd, length, real_ftruncate); }

/* ---- sync ---- */

/* Only what was there when the sync began is durable when it ends: another thread may write meanwhile. */
static int sync_with(int fd, int (*real)(int)) {
  Watched *file = at(fd);
  if (!file) return real(fd);
  FAIL(file->folder ? 'D' : 'S', -1);
  record('B', file->inode, 0, file->path, "", 0);
  int result = real(fd);
  if (!result) record(file->folder ? 'D' : 'S', file->inode, 0, file->path, "", 0);
  return result;
}
int fsync(int fd) { REAL(int, fsync, int); return sync_with(fd, real_fsync); }
int fdatasync(int fd) { REAL(int, fdatasync, int); return sync_with(fd, real_fdatasync); }

/* ---- names ---- */

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
  REAL(int, renameat, int, const char *, int, const char *);
  char from_buffer[PATH_MAX], to_buffer[PATH_MAX];
  const char *old = below(from_fd, from, from_buffer), *new = below(to_fd, to, to_buffer);
  if (old && new) FAIL('R', -1);
  int result = real_renameat(from_fd, from, to_fd, to);
  if (result || (!old && !new)) return result;
  if (!old || !new) { record('?', 0, 0, old ? old : new, "", 0); return result; } /* into or out of the root */
  record('R', 0, 0, old, new, strlen(new));
  size_t length = strlen(old);
  for (int fd = 0; fd < DESCRIPTORS; fd++) { /* open files, and files in a renamed folder, are known by their new names */
    Watched *file = at(fd);
    if (!file || strncmp(file->path, old, length) || (file->path[length] && file->path[length] != '/')) continue;
    char *path = NULL;
    if (asprintf(&path, "%s%s", new, file->path + length) < 0) abort();
    free(file->path);
    file->path = path;
  }
  return result;
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int unlinkat(int dirfd, const char *path, int flags) {
  REAL(int, unlinkat, int, const char *, int);
  char buffer[PATH_MAX];
  const char *name = below(dirfd, path, buffer);
  if (name) FAIL('U', -1);
  int result = real_unlinkat(dirfd, path, flags);
  if (!result && name) record(flags & AT_REMOVEDIR ? 'X' : 'U', 0, 0, name, "", 0);
  return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
  struct stat facts;
  return unlinkat(AT_FDCWD, path, !lstat(path, &facts) && S_ISDIR(facts.st_mode) ? AT_REMOVEDIR : 0);
}

int mkdirat(int dirfd, const char *path, mode_t mode) {
  REAL(int, mkdirat, int, const char *, mode_t);
  char buffer[PATH_MAX];
  const char *name = below(dirfd, path, buffer);
  if (name && faccessat(dirfd, path, F_OK, 0)) FAIL('M', -1);
  int result = real_mkdirat(dirfd, path, mode);
  struct stat facts;
  if (!result && name && !fstatat(dirfd, path, &facts, 0)) record('M', facts.st_ino, 0, name, "", 0);
  return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int link(const char *from, const char *to) {
  REAL(int, link, const char *, const char *);
  char buffer[PATH_MAX];
  int result = real_link(from, to);
  if (!result && below(AT_FDCWD, to, buffer)) record('?', 0, 0, below(AT_FDCWD, to, buffer), "", 0);
  return result;
}
