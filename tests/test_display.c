/* SPDX-License-Identifier: MIT */
/*
 * The guest's screen for people: PNG files, keys, the heads-up display, and the real window on an X server without a screen (Xvfb),
 * where the test types with the XTest extension and looks at pixels. Where one of them is missing the test says so and is skipped.
 */
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/keysym.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <png.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "console/canvas.h"
#include "console/paste.h"
#include "console/hud.h"
#include "console/keymap.h"
#include "console/sdl_window.h"

static char folder[] = "/tmp/emu-display-XXXXXX";

static const char *emu(void)
{
    static char path[4096];
    const char *build = getenv("EMU_BUILD");
    if (!path[0] && !realpath(build && strcmp(build, "build/san") == 0 ? "build/san/emu" : "./emu", path))
        path[0] = 0;
    return path;
}

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static unsigned n;
    char *p = path[n++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

/* --- PNG --- */

/* Pixels of a file, NULL if it is none. */
static u8 *read_png(const char *path, unsigned *width, unsigned *height)
{
    png_image image = { .version = PNG_IMAGE_VERSION };
    if (!png_image_begin_read_from_file(&image, path))
        return NULL;
    image.format = PNG_FORMAT_RGB;
    u8 *pixels = malloc(PNG_IMAGE_SIZE(image));
    png_image_finish_read(&image, NULL, pixels, 0, NULL);
    *width = image.width;
    *height = image.height;
    return pixels;
}

static void test_png(void)
{
    static const u32 pixels[6] = { 0xff0000, 0x00ff00, 0x0000ff, 0x123456, 0x000000, 0xffffff };
    struct error err = { "" };
    unsigned width = 0, height = 0;
    CHECK_EQ(png_write(in_folder("six.png"), pixels, 3, 2, &err), 0);
    u8 *back = read_png(in_folder("six.png"), &width, &height);
    if (!CHECK(back != NULL))
        return;
    CHECK_EQ(width, 3);
    CHECK_EQ(height, 2);
    for (unsigned i = 0; i < 6; i++)
        CHECK_EQ(back[3 * i] << 16 | back[3 * i + 1] << 8 | back[3 * i + 2], pixels[i]);
    free(back);
    CHECK_EQ(png_write("/no/such/folder/x.png", pixels, 3, 2, &err), -1);
    CHECK_CONTAINS(err.text, "/no/such/folder/x.png");
}

static void test_screenshot_spec(void)
{
    static const struct { const char *spec, *path; bool at_end; double seconds; u64 cycles; } rows[] = {
        { "a.png", "a.png", true, 0, 0 },        { "a.png:2.5s", "a.png", false, 2.5, 0 }, { "a.png:1000000", "a.png", false, -1, 1000000 },
        { "a:b.png", "a:b.png", true, 0, 0 },    { "a.png:12x", "a.png:12x", true, 0, 0 }, { "d:e.png:7", "d:e.png", false, -1, 7 },
    };
    struct screenshots s = { .count = 0 };
    struct error err = { "" };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        check_context("%s", rows[i].spec);
        CHECK_EQ(screenshots_add(&s, rows[i].spec, &err), 0);
        CHECK_STR(s.shot[i].path, rows[i].path);
        CHECK_EQ(s.shot[i].at_end, rows[i].at_end);
        if (!rows[i].at_end) {
            CHECK(s.shot[i].seconds == rows[i].seconds);
            CHECK(rows[i].seconds >= 0 || s.shot[i].cycles == rows[i].cycles);
        }
    }
    CHECK_EQ(screenshots_add(&s, ":5", &err), -1);
    while (s.count < MAX_SCREENSHOTS)
        screenshots_add(&s, "x", &err);
    CHECK_EQ(screenshots_add(&s, "x", &err), -1);
    screenshots_fini(&s);
    CHECK_EQ(s.count, 0);
}

/* --- keys --- */

static void test_keymap(void)
{
    static const struct { SDL_Scancode key; u16 set1; } rows[] = {
        { SDL_SCANCODE_A, 0x1e },     { SDL_SCANCODE_Z, 0x2c },      { SDL_SCANCODE_1, 0x02 },      { SDL_SCANCODE_0, 0x0b },
        { SDL_SCANCODE_RETURN, 0x1c }, { SDL_SCANCODE_ESCAPE, 0x01 }, { SDL_SCANCODE_SPACE, 0x39 },  { SDL_SCANCODE_GRAVE, 0x29 },
        { SDL_SCANCODE_SLASH, 0x35 }, { SDL_SCANCODE_F1, 0x3b },     { SDL_SCANCODE_F10, 0x44 },    { SDL_SCANCODE_F12, 0x58 },
        { SDL_SCANCODE_PAUSE, 0xe11d }, { SDL_SCANCODE_INSERT, 0xe052 }, { SDL_SCANCODE_PAGEDOWN, 0xe051 }, { SDL_SCANCODE_UP, 0xe048 },
        { SDL_SCANCODE_NUMLOCKCLEAR, 0x45 }, { SDL_SCANCODE_KP_ENTER, 0xe01c }, { SDL_SCANCODE_KP_0, 0x52 }, { SDL_SCANCODE_KP_PERIOD, 0x53 },
        { SDL_SCANCODE_NONUSBACKSLASH, 0x56 }, { SDL_SCANCODE_LCTRL, 0x1d }, { SDL_SCANCODE_RALT, 0xe038 }, { SDL_SCANCODE_RGUI, 0xe05c },
        { SDL_SCANCODE_UNKNOWN, 0 },  { SDL_SCANCODE_F24, 0 },       { SDL_SCANCODE_AUDIOPLAY, 0 }, { 511, 0 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        check_context("scancode %u", rows[i].key);
        CHECK_EQ(keymap_set1(rows[i].key), rows[i].set1);
    }
    u8 used[65536] = { 0 };     /* no two keys are one, but for the two that are the backslash */
    for (unsigned key = 0; key < 512; key++)
        used[keymap_set1(key)]++;
    for (unsigned code = 1; code < 65536; code++)
        CHECK(used[code] <= (code == 0x2b ? 2 : 1));
}

static void test_place(void)
{
    static const struct { unsigned w, h; int ww, wh; bool fit; SDL_Rect r; } rows[] = {
        { 720, 400, 720, 400, false, { 0, 0, 720, 400 } },        { 720, 400, 1500, 850, false, { 30, 25, 1440, 800 } },
        { 720, 400, 1439, 2000, false, { 359, 800, 720, 400 } },  { 640, 480, 320, 480, false, { 0, 120, 320, 240 } },
        { 640, 480, 960, 960, true, { 0, 120, 960, 720 } },
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        SDL_Rect r = sdl_place(rows[i].w, rows[i].h, rows[i].ww, rows[i].wh, rows[i].fit);
        check_context("row %u", i);
        CHECK_EQ(r.x, rows[i].r.x);
        CHECK_EQ(r.y, rows[i].r.y);
        CHECK_EQ(r.w, rows[i].r.w);
        CHECK_EQ(r.h, rows[i].r.h);
    }
}

/* --- the heads-up display --- */

static void test_hud(void)
{
    static const struct engine_ops engine = { .name = "bt" };
    static u32 pixels[HUD_WIDTH * HUD_HEIGHT];
    struct vm *vm = calloc(1, sizeof *vm);
    struct hud h = { 0 };
    vm->engine = &engine;
    vm->clock.hz = 1000;
    hud_sample(&h, vm, 1000000000);
    CHECK(h.mips == 0 && h.rate[FAMILY_IO] == 0);
    vm->ledger.guest_insns = 400000000;
    vm->ledger.count[EV_BT_PORT] = 512;
    hud_sample(&h, vm, 3000000000);         /* 200 MIPS and 256 a second, of which half is seen at once */
    CHECK_EQ(h.mips, 100);
    CHECK_EQ(h.rate[FAMILY_IO], 128);
    CHECK_EQ(hud_bar(0), 0);
    CHECK_EQ(hud_bar(128), 72);
    CHECK_EQ(hud_bar(256), 81);
    CHECK(hud_bar(1e30) < HUD_WIDTH);
    hud_draw(&h, vm, pixels);
    unsigned y = (FAMILY_IO + 2) * 16 + 8, lit = 0;
    for (unsigned x = 120; x < HUD_WIDTH; x++)
        lit += pixels[y * HUD_WIDTH + x] == 0xfff0c040;
    CHECK_EQ(lit, 72);
    hud_sample(&h, vm, 4000000000);         /* nothing more happens: the bar shrinks */
    CHECK_EQ(h.rate[FAMILY_IO], 64);
    free(vm);
}

/* --- a guest to look at: the screen is blue until X is pressed, then red --- */

static const u8 guest[] = {
    0x31, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c,       /* a stack */
    0xb8, 0x00, 0xb8, 0x8e, 0xc0,                   /* ES: text memory */
    0xb8, 0x20, 0x1f, 0xe8, 0x16, 0x00,             /* fill with 1F20h */
    0xe4, 0x64, 0xa8, 0x01, 0x74, 0xfa,             /* wait for the keyboard */
    0xe4, 0x60, 0x3c, 0x2d, 0x75, 0xf4,             /* X? */
    0xb8, 0x20, 0x4f, 0xe8, 0x04, 0x00, 0xeb, 0xec, /* fill with 4F20h, go on waiting */
    0x90, 0x90,
    0x31, 0xff, 0xb9, 0xd0, 0x07, 0xfc, 0xf3, 0xab, 0xc3, /* fill: 2,000 times AX */
};

static void write_guest(void)
{
    u8 sector[512] = { 0 };
    memcpy(sector, guest, sizeof guest);
    sector[510] = 0x55;
    sector[511] = 0xaa;
    FILE *f = fopen(in_folder("guest"), "wb");
    if (!f || fwrite(sector, 1, sizeof sector, f) != sizeof sector || fclose(f))
        abort();
}

static int run(const char *args)
{
    char command[1200];
    snprintf(command, sizeof command, "cd %s && timeout 20 %s %s >out 2>err </dev/null", folder, emu(), args);
    check_context("emu %s", args);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void check_says(const char *what)
{
    char text[1000] = "";
    FILE *f = fopen(in_folder("err"), "r");
    if (f && fread(text, 1, sizeof text - 1, f) == 0)
        text[0] = 0;
    if (f)
        fclose(f);
    CHECK_CONTAINS(text, what);
}

static void check_colour(const char *file, u32 colour)
{
    unsigned width = 0, height = 0;
    u8 *p = read_png(in_folder(file), &width, &height);
    if (!CHECK(p != NULL))
        return;
    u8 *at = p + 3 * (100 * width + 100);
    CHECK_EQ(width, 720);
    CHECK_EQ(height, 400);
    CHECK_EQ(at[0] << 16 | at[1] << 8 | at[2], colour);
    free(p);
}

/* Without a window system: screenshots at a moment of virtual time; and what is said where there is no display. */
static void test_headless(void)
{
    write_guest();
    CHECK_EQ(run("-display none -serial none guest --max-cycles=3000000 --screenshot-at one.png:0 --screenshot-at two.png:2000000 --screenshot-at end.png"), 124);
    check_colour("one.png", 0x000000);
    check_colour("two.png", 0x0000aa);
    check_colour("end.png", 0x0000aa);
    CHECK_EQ(run("-serial none guest --max-cycles=3000 --screenshot-at late.png:1s"), 124);
    check_says("late.png");
    unsetenv("DISPLAY");
    unsetenv("WAYLAND_DISPLAY");
    CHECK_EQ(run("-display sdl -serial none guest --max-cycles=1000"), 64);
    check_says("--display none");
    CHECK_EQ(run("-display auto -serial none guest --max-cycles=1000"), 124);
    check_says("--display none");
    setenv("SDL_VIDEODRIVER", "dummy", 1);
    CHECK_EQ(run("-display sdl -serial none guest --max-seconds=0.3 --screenshot-at dummy.png"), 124);
    unsetenv("SDL_VIDEODRIVER");
    check_colour("dummy.png", 0x0000aa);
    CHECK_EQ(run("-display text guest --max-seconds=0.3"), 124);
}

/* --- the real window --- */

#define X_FUNCTIONS(X) \
    X(XOpenDisplay) X(XCloseDisplay) X(XDefaultRootWindow) X(XGetImage) X(XQueryTree) X(XFree) X(XGetGeometry) X(XSetInputFocus) \
    X(XKeysymToKeycode) X(XSync) X(XFetchName) X(XInternAtom) X(XSendEvent) X(XWarpPointer) X(XSetErrorHandler)

struct x {
    void *lib, *xtst;
#define FIELD(name) __typeof__(&name) name;
    X_FUNCTIONS(FIELD)
#undef FIELD
    int (*XTestFakeKeyEvent)(Display *d, unsigned keycode, int press, unsigned long delay);
    Display *display;
    Window window;
    unsigned width, height;
    pid_t server, emu;
};

static bool load_x(struct x *x)
{
    x->lib = dlopen("libX11.so.6", RTLD_NOW);
    x->xtst = dlopen("libXtst.so.6", RTLD_NOW);
    if (!x->lib || !x->xtst)
        return false;
#define LOAD(name) x->name = (__typeof__(&name))dlsym(x->lib, #name);
    X_FUNCTIONS(LOAD)
#undef LOAD
    x->XTestFakeKeyEvent = (int (*)(Display *, unsigned, int, unsigned long))dlsym(x->xtst, "XTestFakeKeyEvent");
    return x->XTestFakeKeyEvent != NULL;
}

/* Start Xvfb on a display of its own choice, which it tells through a pipe. False: it is not installed. */
static bool start_server(struct x *x)
{
    int pipefd[2], n = 0;
    char fd[16], name[32] = ":";
    if (pipe(pipefd))
        return false;
    snprintf(fd, sizeof fd, "%d", pipefd[1]);
    x->server = fork();
    if (x->server == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execlp("Xvfb", "Xvfb", "-displayfd", fd, "-screen", "0", "1024x768x24", "-nolisten", "tcp", NULL);
        _exit(127);
    }
    close(pipefd[1]);
    for (int got; !strchr(name, '\n') && n < (int)sizeof name - 2 && (got = read(pipefd[0], name + 1 + n, 1)) > 0;)
        n += got;
    close(pipefd[0]);
    if (!n)
        return false;
    name[strcspn(name, "\n")] = 0;
    setenv("DISPLAY", name, 1);
    x->display = x->XOpenDisplay(name);
    return x->display != NULL;
}

static void start_emu(struct x *x)
{
    x->emu = fork();
    if (x->emu)
        return;
    int log = open(in_folder("window.log"), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    dup2(log, 1);
    dup2(log, 2);
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);    /* those of X's libraries */
    if (chdir(folder) == 0)
        execl(emu(), emu(), "-display", "sdl", "-serial", "none", "--engine=bare", "--max-seconds=60", "guest", NULL);
    _exit(127);
}

/* Wait for something, at most ten seconds. */
#define WAIT_UNTIL(cond) ({ \
    bool held_ = false; \
    for (int i_ = 0; i_ < 200 && !(held_ = (cond)); i_++) \
        usleep(50000); \
    held_; \
})

static bool find_window(struct x *x)
{
    Window root, parent, *child = NULL;
    unsigned n = 0;
    x->XQueryTree(x->display, x->XDefaultRootWindow(x->display), &root, &parent, &child, &n);
    for (unsigned i = 0; i < n; i++) {
        int px, py;
        unsigned width, height, border, depth;
        if (x->XGetGeometry(x->display, child[i], &root, &px, &py, &width, &height, &border, &depth) && width >= 700) {
            x->window = child[i];
            x->width = width;
            x->height = height;
        }
    }
    if (child)
        x->XFree(child);
    return x->window != 0;
}

/* A window that is not mapped yet has no pixels: that is no reason to die. */
static int forgive(Display *d, XErrorEvent *e) { return 0; }

static u32 window_pixel(struct x *x, int px, int py)
{
    x->XSetErrorHandler(forgive);
    XImage *image = x->XGetImage(x->display, x->window, px, py, 1, 1, AllPlanes, ZPixmap);
    for (int tries = 0; !image && tries < 100; tries++) {
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
        image = x->XGetImage(x->display, x->window, px, py, 1, 1, AllPlanes, ZPixmap);
    }
    u32 colour = image ? XGetPixel(image, 0, 0) & 0xffffff : 0xdeadbeef;
    if (image)
        XDestroyImage(image);
    return colour;
}

/* Press keys one after the other, and let them go in reverse. */
static void chord(struct x *x, const KeySym *keys, unsigned n)
{
    for (unsigned i = 0; i < 2 * n; i++) {
        KeySym key = i < n ? keys[i] : keys[2 * n - 1 - i];
        x->XTestFakeKeyEvent(x->display, x->XKeysymToKeycode(x->display, key), i < n, 0);
        x->XSync(x->display, False);
        usleep(40000);
    }
}
static void window_key(struct x *x, KeySym key) { chord(x, (KeySym[]){ XK_Control_L, XK_Alt_L, key }, 3); }

static bool title_has(struct x *x, const char *what)
{
    char *name = NULL;
    x->XFetchName(x->display, x->window, &name);
    bool has = name && strstr(name, what);
    if (name)
        x->XFree(name);
    return has;
}

static void close_window(struct x *x)
{
    XEvent e = { .xclient = { .type = ClientMessage, .window = x->window, .format = 32 } };
    e.xclient.message_type = x->XInternAtom(x->display, "WM_PROTOCOLS", False);
    e.xclient.data.l[0] = x->XInternAtom(x->display, "WM_DELETE_WINDOW", False);
    x->XSendEvent(x->display, x->window, False, NoEventMask, &e);
    x->XSync(x->display, False);
}

static void drive_window(struct x *x)
{
    int status = 0;
    unsigned width, height;
    if (!CHECK(WAIT_UNTIL(find_window(x))) || !CHECK(WAIT_UNTIL(window_pixel(x, 360, 200) == 0x0000aa)))
        return;
    x->XSetInputFocus(x->display, x->window, RevertToParent, CurrentTime);
    x->XSync(x->display, False);
    CHECK(WAIT_UNTIL(title_has(x, "to grab the mouse")));
    chord(x, (KeySym[]){ XK_y }, 1);
    chord(x, (KeySym[]){ XK_x }, 1);
    CHECK(WAIT_UNTIL(window_pixel(x, 360, 390) == 0xaa0000));
    CHECK_EQ(window_pixel(x, 700, 12), 0xaa0000);
    window_key(x, XK_h);
    CHECK(WAIT_UNTIL(window_pixel(x, 700, 12) != 0xaa0000));
    window_key(x, XK_s);
    CHECK(WAIT_UNTIL(access(in_folder("emu-1.png"), R_OK) == 0));
    window_key(x, XK_p);
    CHECK(WAIT_UNTIL(title_has(x, "paused")));
    free(read_png(in_folder("emu-1.png"), &width, &height));
    check_colour("emu-1.png", 0xaa0000);
    window_key(x, XK_p);
    CHECK(WAIT_UNTIL(!title_has(x, "paused")));
    window_key(x, XK_r);
    CHECK(WAIT_UNTIL(window_pixel(x, 360, 390) == 0x0000aa));
    window_key(x, XK_g);
    CHECK(WAIT_UNTIL(title_has(x, "releases the mouse")));
    close_window(x);
    bool ended = WAIT_UNTIL(waitpid(x->emu, &status, WNOHANG) == x->emu);
    CHECK(ended && WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    x->emu = ended ? 0 : x->emu;
}

static void end(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

static void test_window(void)
{
    struct x x = { 0 };
    if (!load_x(&x))
        SKIP("no libX11 or libXtst (packages libx11-6, libxtst6)");
    if (!start_server(&x)) {
        end(x.server);
        SKIP("no Xvfb (package xvfb)");
    }
    write_guest();
    start_emu(&x);
    drive_window(&x);
    end(x.emu);
    x.XCloseDisplay(x.display);
    end(x.server);
}

/* --- what goes into the window --- */

static void test_paste(void)
{
    static const struct { const char *text, *typed; unsigned left_out; } rows[] = {
        { "plain ~text\t1\n", "plain ~text\t1\n", 0 }, { "a\r\nb\rc", "a\nb\nc", 0 }, { "\u201cit\u2019s\u201d \u2014 \u2026", "\"it's\" -- ...", 0 },
        { "gr\u00fc\u00df", "gr", 2 }, { "\U0001f600x\u00a0y", "x y", 1 }, { "\x07\x1b[A", "[A", 2 }, { "cut\xe2\x80", "cut", 1 }, { "\xff\x80 z", " z", 1 }, { "", "", 0 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        char text[64];
        check_context("row %u", i);
        strcpy(text, rows[i].text);
        CHECK_EQ(paste_to_ascii(text), rows[i].left_out);
        CHECK_STR(text, rows[i].typed);
    }
}

/* Whole scales, others, and smaller ones: each pixel of the canvas is the picture's nearest, and no other is touched. */
static void test_canvas(void)
{
    enum { W = 7, H = 5, CW = 40, CH = 30, OUTSIDE = 0x123456 };
    static const struct canvas_rect places[] = { { 3, 2, 7, 5 }, { 1, 1, 21, 15 }, { 0, 0, 38, 27 }, { 4, 4, 5, 3 }, { 0, 0, 40, 30 } };
    u32 picture[W * H], pixels[CW * CH];
    for (unsigned i = 0; i < W * H; i++)
        picture[i] = i + 1;
    for (unsigned p = 0; p < ARRAY_LEN(places); p++)
        for (unsigned first = 0; first < H; first++) {
            const struct canvas_rect *r = &places[p];
            struct canvas c = { pixels, CW, CH, CW };
            for (unsigned i = 0; i < CW * CH; i++)
                pixels[i] = OUTSIDE;
            struct canvas_rect drawn = canvas_draw(&c, picture, W, H, r, first, H - 1);
            unsigned wrong = 0;
            for (unsigned y = 0; y < CH; y++)
                for (unsigned x = 0; x < CW; x++) {
                    bool within = x >= drawn.x && x < drawn.x + drawn.width && y >= drawn.y && y < drawn.y + drawn.height;
                    u32 nearest = within ? picture[(y - r->y) * H / r->height * W + (x - r->x) * W / r->width] : OUTSIDE;
                    wrong += pixels[y * CW + x] != nearest;
                }
            check_context("place %u from line %u", p, first);
            CHECK_EQ(wrong, 0);
            CHECK(drawn.y + drawn.height == r->y + r->height && drawn.y <= r->y + first * r->height / H);
        }
    canvas_clear(&(struct canvas){ pixels, CW, CH, CW });
    canvas_blend(&(struct canvas){ pixels, CW, CH, CW }, (u32[]){ 0xffabcdef, 0x80ffffff, 0x00ffffff, 0xffffffff }, 2, 2, CW - 1, -1);
    CHECK_EQ(pixels[CW - 1], 0);
    canvas_blend(&(struct canvas){ pixels, CW, CH, CW }, (u32[]){ 0xffabcdef, 0x80ffffff }, 2, 1, 0, 0);
    CHECK_EQ(pixels[0], 0xabcdef);
    CHECK((pixels[1] & 0xff) >= 0x7e && (pixels[1] & 0xff) <= 0x81);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "png", test_png }, { "screenshot_spec", test_screenshot_spec }, { "keymap", test_keymap }, { "place", test_place }, { "paste", test_paste }, { "canvas", test_canvas }, { "hud", test_hud },
        { "headless", test_headless }, { "window", test_window }, { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "display", tests);
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) ? 1 : status;
}
