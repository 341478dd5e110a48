/* SPDX-License-Identifier: MIT */
/* Names and files. All contents are in memory, as files are that were used lately: there is no disk behind them. */
#include "os.h"

enum { INODES = 48, OPEN_FILES = 96, BUCKETS = 64 };
static struct inode inodes[INODES], *bucket[BUCKETS], *unused_inodes;
static struct file open_files[OPEN_FILES];

/* --- names ---------------------------------------------------------------------------------------------- */

static u32 name_hash(const char *name, u32 len)
{
    u32 h = 0;
    while (len--) {
        u8 c = *name++;
        h = (h + (c << 4) + (c >> 4)) * 11;
    }
    return h;
}

static struct inode **bucket_of(const struct inode *parent, u32 hash) { return &bucket[(hash + (parent ? parent->number : 0)) % BUCKETS]; }

static _Bool same_name(const char *a, const char *b, u32 len)
{
    for (; len; len--)
        if (*a++ != *b++)
            return 0;
    return !*a;
}

static struct inode *lookup(const struct inode *parent, const char *name, u32 len)
{
    u32 hash = name_hash(name, len);
    struct inode *i = *bucket_of(parent, hash);
    while (i && (i->parent != parent || i->hash != hash || !same_name(i->name, name, len)))
        i = i->chain;
    return i;
}

static u32 word_length(const char *s)
{
    u32 n = 0;
    while (s[n] && s[n] != '/')
        n++;
    return n;
}

/* NULL with *last on the last word if only that does not exist. */
static struct inode *walk(const char *path, const struct inode **parent, const char **last)
{
    struct inode *at = &inodes[0];
    while (*path == '/')
        path++;
    while (*path && at) {
        u32 len = word_length(path);
        *parent = at;
        *last = path;
        if (!(at->mode & 0111) || len >= NAME_MOST)
            return 0;
        at = lookup(at, path, len);
        for (path += len; *path == '/'; path++)
            if (!at)
                *last = 0;
    }
    return at;
}

struct inode *inode_find(const char *path)
{
    const struct inode *parent;
    const char *last;
    return walk(path, &parent, &last);
}

struct inode *inode_new(const char *path, u32 size, const struct file_operations *operations)
{
    const struct inode *parent = 0;
    const char *last = 0;
    struct inode *i = unused_inodes;
    if (walk(path, &parent, &last) || !last || !i)
        return 0;
    unused_inodes = i->chain;
    i->number = i - inodes;
    i->parent = (struct inode *)parent;
    i->size = size;
    i->mode = operations ? 0644 : 0755;
    i->operations = operations;
    u32 n = 0;
    while ((i->name[n] = last[n]))
        n++;
    i->hash = name_hash(i->name, word_length(i->name));
    struct inode **b = bucket_of(parent, i->hash);
    i->chain = *b;
    *b = i;
    return i;
}

static void inode_remove(struct inode *i)
{
    struct inode **at = bucket_of(i->parent, i->hash);
    while (*at != i)
        at = &(*at)->chain;
    *at = i->chain;
    for (u32 n = 0; n * PAGE < i->size; n++)
        if (i->page[n]) {
            page_put(i->page[n]);
            i->page[n] = 0;
        }
    i->chain = unused_inodes;
    unused_inodes = i;
}

u8 *inode_page(struct inode *i, u32 n)
{
    if (n >= FILE_PAGES)
        kernel_panic("a file is too long");
    if (!i->page[n])
        i->page[n] = page_new_zeroed();
    return i->page[n];
}

/* --- devices and pipes ----------------------------------------------------------------------------------- */

static _Bool always(struct file *f) { return 1; }
static _Bool never(struct file *f) { return 0; }
static int no_read(struct file *f, u8 *to, u32 len) { return -EINVAL; }
static int no_write(struct file *f, const u8 *from, u32 len) { return -EINVAL; }
static int null_write(struct file *f, const u8 *from, u32 len) { return len; }

static int zero_read(struct file *f, u8 *to, u32 len)
{
    for (u32 i = 0; i < len; i++)
        to[i] = 0;
    return len;
}

static int plain_write(struct file *f, const u8 *from, u32 len)
{
    u32 done = 0;
    while (done < len && f->position / PAGE < FILE_PAGES) {
        u32 within = f->position % PAGE, n = PAGE - within < len - done ? PAGE - within : len - done;
        u8 *to = inode_page(f->inode, f->position / PAGE) + within;
        for (u32 i = n & ~3u; i < n; i++)
            to[i] = from[done + i];
        copy_words(to, from + done, n);
        done += n;
        f->position += n;
    }
    if (f->position > f->inode->size)
        f->inode->size = f->position;
    return done;
}

static int console_output(struct file *f, const u8 *from, u32 len)
{
    console_write((const char *)from, len);
    return len;
}

static void nothing(struct file *f) { }
static void close_inode(struct file *f) { f->inode->opened--; }
static const struct file_operations plain = { no_read, plain_write, always, close_inode }, zero = { zero_read, null_write, always, close_inode };
static const struct file_operations console = { no_read, console_output, never, nothing };

struct pipe { u8 *page; u32 head, tail, ends; struct task *reader; };
enum { PIPES = 24 };
static struct pipe pipes[PIPES];

static int pipe_read(struct file *f, u8 *to, u32 len)
{
    struct pipe *p = f->pipe;
    while (p->head == p->tail) {
        p->reader = current;
        task_wait();
    }
    u32 n = 0;
    for (; n < len && p->head != p->tail; n++)
        to[n] = p->page[p->head++ % PAGE];
    return n;
}

/* What does not fit is not written: whoever writes here writes a few bytes. */
static int pipe_write(struct file *f, const u8 *from, u32 len)
{
    struct pipe *p = f->pipe;
    u32 n = 0;
    for (; n < len && p->tail - p->head < PAGE; n++)
        p->page[p->tail++ % PAGE] = from[n];
    if (p->reader) {
        struct task *t = p->reader;
        p->reader = 0;
        task_ready(t);
    }
    return n;
}

static void pipe_release(struct file *f)
{
    if (--f->pipe->ends == 0)
        page_put(f->pipe->page);
}

static _Bool pipe_readable(struct file *f) { return f->pipe->head != f->pipe->tail; }
static const struct file_operations read_end = { pipe_read, no_write, pipe_readable, pipe_release }, write_end = { no_read, pipe_write, never, pipe_release };

/* --- open files ------------------------------------------------------------------------------------------ */

struct file *file_of(u32 fd) { return fd < FILES ? current->file[fd] : 0; }

static struct file *file_new(struct inode *i, struct pipe *p, const struct file_operations *operations)
{
    for (struct file *f = open_files; f < open_files + OPEN_FILES; f++)
        if (!f->refs) {
            *f = (struct file){ 1, 0, i, p, operations };
            return f;
        }
    return 0;
}

static int descriptor_new(struct file *f)
{
    for (u32 fd = 0; f && fd < FILES; fd++)
        if (!current->file[fd]) {
            current->file[fd] = f;
            return fd;
        }
    return -EMFILE;
}

static void file_put(struct file *f)
{
    if (--f->refs == 0)
        f->operations->release(f);
}

void files_copy(struct task *to, const struct task *from)
{
    for (u32 fd = 0; from && fd < FILES; fd++)
        if ((to->file[fd] = from->file[fd]))
            to->file[fd]->refs++;
    if (!from)
        to->file[1] = file_new(0, 0, &console);
}

void files_close(struct task *t)
{
    for (u32 fd = 0; fd < FILES; fd++)
        if (t->file[fd]) {
            file_put(t->file[fd]);
            t->file[fd] = 0;
        }
}

/* --- system calls ---------------------------------------------------------------------------------------- */

static int name_from_user(char *path, u32 at)
{
    if (!user_range(at, PATH_MOST))
        return -EFAULT;
    for (u32 n = 0; n < PATH_MOST; n++)
        if (!(path[n] = ((const char *)at)[n]))
            return 0;
    return -ENOENT;
}

static int open_inode(struct inode *i)
{
    int fd = i->operations ? descriptor_new(file_new(i, 0, i->operations)) : -EINVAL;
    i->opened += fd >= 0;
    return fd;
}

int sys_open(struct registers *r)
{
    char path[PATH_MOST];
    int rc = name_from_user(path, r->ebx);
    struct inode *i = rc < 0 ? 0 : inode_find(path);
    return i ? open_inode(i) : rc < 0 ? rc : -ENOENT;
}

int sys_create(struct registers *r)
{
    char path[PATH_MOST];
    int rc = name_from_user(path, r->ebx);
    struct inode *i = rc < 0 ? 0 : inode_new(path, 0, &plain);
    return i ? open_inode(i) : rc < 0 ? rc : -ENOENT;
}

/* An open file keeps its name: who needs more writes it. */
int sys_unlink(struct registers *r)
{
    char path[PATH_MOST];
    int rc = name_from_user(path, r->ebx);
    struct inode *i = rc < 0 ? 0 : inode_find(path);
    if (!i || !i->operations || i->opened)
        return rc < 0 ? rc : i ? -EAGAIN : -ENOENT;
    inode_remove(i);
    return 0;
}

int sys_dup(struct registers *r)
{
    struct file *f = file_of(r->ebx);
    int fd = f ? descriptor_new(f) : -EBADF;
    if (fd >= 0)
        f->refs++;
    return fd;
}

/* Ready now, and nothing else: nobody here waits for one of many. */
int sys_select(struct registers *r)
{
    u32 wanted[FILES / 32], found[FILES / 32] = { 0 }, count = 0;
    if (r->ebx > FILES || !user_range(r->ecx, sizeof wanted))
        return r->ebx > FILES ? -EINVAL : -EFAULT;
    copy_words(wanted, (void *)r->ecx, sizeof wanted);
    for (u32 fd = 0; fd < r->ebx; fd++) {
        if (!(wanted[fd / 32] >> fd % 32 & 1))
            continue;
        struct file *f = file_of(fd);
        if (!f)
            return -EBADF;
        if (f->operations->readable(f)) {
            found[fd / 32] |= 1u << fd % 32;
            count++;
        }
    }
    copy_words((void *)r->ecx, found, sizeof found);
    return count;
}

int sys_close(struct registers *r)
{
    struct file *f = file_of(r->ebx);
    if (!f)
        return -EBADF;
    current->file[r->ebx] = 0;
    file_put(f);
    return 0;
}

int sys_stat(struct registers *r)
{
    char path[PATH_MOST];
    int rc = name_from_user(path, r->ebx);
    const struct inode *i = rc < 0 ? 0 : inode_find(path);
    if (!i)
        return rc < 0 ? rc : -ENOENT;
    if (!user_range(r->ecx, sizeof(struct file_status)))
        return -EFAULT;
    struct file_status s = { .inode = i->number, .mode = i->mode, .links = 1, .size = i->size, .blocks = (i->size + 511) / 512 };
    copy_words((void *)r->ecx, &s, sizeof s);
    return 0;
}

int sys_read(struct registers *r)
{
    struct file *f = file_of(r->ebx);
    if (!f || !user_range(r->ecx, r->edx))
        return f ? -EFAULT : -EBADF;
    return f->operations->read(f, (u8 *)r->ecx, r->edx);
}

int sys_write(struct registers *r)
{
    struct file *f = file_of(r->ebx);
    if (!f || !user_range(r->ecx, r->edx))
        return f ? -EFAULT : -EBADF;
    return f->operations->write(f, (const u8 *)r->ecx, r->edx);
}

int sys_pipe(struct registers *r)
{
    struct pipe *p = pipes;
    while (p < pipes + PIPES && p->ends)
        p++;
    if (p == pipes + PIPES || !user_range(r->ebx, 8))
        return p == pipes + PIPES ? -EMFILE : -EFAULT;
    *p = (struct pipe){ .page = page_new(), .ends = 2 };
    ((u32 *)r->ebx)[0] = descriptor_new(file_new(0, p, &read_end));
    ((u32 *)r->ebx)[1] = descriptor_new(file_new(0, p, &write_end));
    return 0;
}

int sys_mmap(struct registers *r)
{
    struct file *f = file_of(r->ebx);
    if (!f || !f->inode || !r->ecx || r->ecx > FILE_PAGES)
        return f ? -EINVAL : -EBADF;
    u32 start = space_room(&current->space, r->ecx);
    space_add(&current->space, start, r->ecx, r->edx, 1, f->inode, 0);
    return start;
}

int sys_munmap(struct registers *r)
{
    space_remove(&current->space, r->ebx, r->ecx);
    return 0;
}

/* --- what is there ---------------------------------------------------------------------------------------- */

extern const u8 program_file[], program_file_end[];

/* The library's contents are numbers from which programs compute something. */
static void fill_library(struct inode *i)
{
    u32 x = 1;
    for (u32 n = 0; n < LIBRARY_TEXT + LIBRARY_DATA; n++) {
        u32 *page = (u32 *)inode_page(i, n);
        for (u32 w = 0; w < PAGE / 4; w++)
            page[w] = x = x * 1664525 + 1013904223;
    }
}

static void fill_program(struct inode *i)
{
    for (u32 at = 0; at < i->size; at++)
        inode_page(i, at / PAGE)[at % PAGE] = program_file[at];
}

void files_start(void)
{
    static const char *const directories[] = { "/bin", "/lib", "/dev", "/usr", "/usr/include", "/usr/include/sys", "/tmp" };
    inodes[0] = (struct inode){ .mode = 0755 };
    for (u32 i = INODES; --i; unused_inodes = &inodes[i])
        inodes[i].chain = unused_inodes;
    for (u32 i = 0; i < sizeof directories / sizeof *directories; i++)
        inode_new(directories[i], 0, 0);
    inode_new("/dev/zero", 0, &zero);
    inode_new("/usr/include/sys/types.h", 4711, &plain);
    inode_new("/tmp/file", FILE_PAGES * PAGE, &plain);
    fill_library(inode_new("/lib/libc", (LIBRARY_TEXT + LIBRARY_DATA) * PAGE, &plain));
    fill_program(inode_new("/bin/lmbench", program_file_end - program_file, &plain));
}
