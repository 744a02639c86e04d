"""The seam table: everything that is replaced in Visdom's server, where, why, and in which Visdom. Nothing else is touched."""

from __future__ import annotations

from typing import Any, Final

from visdom_transport.patching import Patches, Seam
from visdom_transport.visdom import flavour

APP: Final = "visdom.server.app"
BASE: Final = "visdom.server.handlers.base_handlers"
BUILD: Final = "visdom.server.build"
RUN: Final = "visdom.server.run_server"
STORE: Final = "visdom.data_model.json_store"
SOCKET: Final = "visdom.server.handlers.socket_handlers"
SHARED: Final = "visdom.utils.shared_utils"
UTILS: Final = "visdom.utils.server_utils"
WEB: Final = "visdom.server.handlers.web_handlers"


def setting(key: str, why: str, **replacement: Any) -> Seam:
    """A row for a setting of Tornado's application, which Visdom passes from a dictionary of its module."""
    return Seam(APP, f"tornado_settings[{key}]", why, **replacement)


#: Visdom's handlers that are left to do what is posted to them, and the Visdoms that have them.
POSTED_TO: Final = {
    "CompareHandler": (),
    "DeleteEnvHandler": (),
    "EnvHandler": (),
    "ExistsHandler": (),
    "HashHandler": ("0.2.4",),
    "IndexHandler": (),
}

TABLE: Final = (
    # Starting up
    Seam(
        BUILD,
        "download_scripts",
        "crashes without a CDN, and writes into the installation",
        wrapper="visdom_transport.visdom.page.browser_files:instead_of_download_scripts",
        aliases=(RUN,),
    ),
    Seam(
        RUN,
        "argparse",
        "a base URL that ends with a slash, or begins without one, keeps the server from starting; "
        "and its loop is chosen once its options are read",
        wrapper="visdom_transport.visdom.serving.options:of_command_line",
    ),
    Seam(
        SHARED,
        "ensure_dir_exists",
        "where no directory can be made, 0.2.4 does not start",
        wrapper="visdom_transport.visdom.durability.starting:make_folder",
        aliases=(APP, STORE),
    ),
    Seam(
        APP,
        "Application.load_user_settings",
        "a style that cannot be read keeps the server from starting",
        wrapper="visdom_transport.visdom.durability.starting:load_user_settings",
    ),
    setting("autoreload", "debug mode restarts the server, without its state, when any source file changes", value=False),
    Seam(
        "tornado.netutil",
        "add_accept_handler",
        "without a descriptor each try to accept is a traceback; the server says what it runs, and where",
        wrapper="visdom_transport.visdom.serving.listening:announcing",
        aliases=("tornado.tcpserver",),
    ),
    # Serving the page
    setting("static_hash_cache", "debug mode reads every static file again for each page", value=True),
    setting("serve_traceback", "debug mode shows tracebacks to whoever asks", value=False),
    setting(
        "static_handler_class",
        "Tornado 6.6 refuses ../user/style.css; browser files and our runtime live elsewhere",
        replacement="visdom_transport.visdom.page.static_files:StaticFiles",
    ),
    setting(
        "template_loader",
        "the page loads our runtime, or says which browser files are missing",
        wrapper="visdom_transport.visdom.page.templates:loader",
    ),
    Seam(
        WEB,
        "getpass",
        "the page says the user's name, and fails for a user id that has none (containers)",
        wrapper="visdom_transport.visdom.page.user:with_nameless_users",
    ),
    # Who may do what
    Seam(
        BASE,
        "BaseHandler.prepare",
        "a read-only server may refuse what HTTP requests change",
        replacement="visdom_transport.visdom.serving.prepare:prepare",
    ),
    Seam(
        BASE,
        "BaseHandler.get_current_user",
        "who has logged out is nobody",
        wrapper="visdom_transport.visdom.access.logins:unless_ended",
    ),
    Seam(
        BASE,
        "BaseWebSocketHandler.get_current_user",
        "who has logged out is nobody",
        wrapper="visdom_transport.visdom.access.logins:unless_ended",
    ),
    # The state
    Seam(
        APP,
        "Application.__init__",
        "every application gets a transport, an observed state, our routes, and a gentle end",
        wrapper="visdom_transport.visdom.application:with_transport",
    ),
    Seam(
        APP,
        "Application.load_state",
        "what is no environment is listed as one, and overwritten; a pipe in the directory stops the server",
        wrapper="visdom_transport.visdom.durability.visdom_files:load_state",
    ),
    Seam(
        UTILS,
        "serialize_env",
        "a save that is cut leaves half a file; saving an environment that was not read yet destroys its file",
        replacement="visdom_transport.visdom.durability.visdom_files:serialize_env",
        aliases=(APP, WEB, SOCKET),
        versions=("0.2.4", "m23"),
    ),
    Seam(
        STORE,
        "JSONStore.serialize_env",
        "a save that is cut leaves half a file",
        wrapper="visdom_transport.visdom.durability.visdom_files:save_in_store",
        versions=("0.3.0",),
    ),
    Seam(
        STORE,
        "JSONStore.load_env",
        "what is added to an environment that was not saved takes its windows away",
        wrapper="visdom_transport.visdom.durability.visdom_files:load_from_store",
        versions=("0.3.0",),
    ),
    Seam(
        APP,
        "Application.load_layouts",
        "a file of saved views that is no text keeps the server from starting",
        wrapper="visdom_transport.visdom.durability.views:load_layouts",
    ),
    Seam(
        APP,
        "Application.save_layouts",
        "a file of saved views that could not be read is overwritten; a save that is cut leaves half a file",
        wrapper="visdom_transport.visdom.durability.views:save_layouts",
    ),
    Seam(
        STORE,
        "JSONStore.save_undo",
        "where files cannot be renamed, no closed window can be brought back",
        replacement="visdom_transport.visdom.durability.other_files:save_undo",
        versions=("0.3.0",),
    ),
    Seam(
        UTILS,
        "set_cookie",
        "a save that is cut leaves half a secret; it fails when there is no default directory",
        replacement="visdom_transport.visdom.durability.other_files:set_cookie",
        aliases=(RUN,),
    ),
    Seam(
        UTILS,
        "gather_envs",
        "lists what is no environment; the comparison page reads another directory, and fails when that is not there",
        replacement="visdom_transport.visdom.durability.visdom_files:gather_envs",
        aliases=(WEB,),
    ),
    Seam(
        WEB,
        "DeleteEnvHandler.wrap_func",
        "deletes what holds no environment; fails after deleting one that was never saved",
        replacement="visdom_transport.visdom.application:delete_environment",
    ),
    Seam(
        UTILS,
        "register_window",
        "a window goes into the state, not to each subscriber",
        replacement="visdom_transport.visdom.serving.broadcasts:register_window",
        aliases=(WEB,),
    ),
    Seam(
        WEB,
        "PostHandler.post",
        "a window that cannot be is refused with a readable error, and kept within its bounds",
        replacement="visdom_transport.visdom.publishing.endpoints:post_events",
    ),
    Seam(
        WEB,
        "UpdateHandler.post",
        "an update costs what it changes, not what the window holds",
        replacement="visdom_transport.visdom.publishing.endpoints:post_update",
    ),
    Seam(
        WEB,
        "CloseHandler.post",
        "closing what is not there is no error, and does not fail when the disk is full",
        replacement="visdom_transport.visdom.publishing.endpoints:post_close",
    ),
    *(
        Seam(
            WEB,
            f"{handler}.post",
            "what cannot be carried out is refused with a readable error, and changes nothing",
            wrapper="visdom_transport.visdom.publishing.stock_requests:checked",
            versions=versions,
        )
        for handler, versions in POSTED_TO.items()
    ),
    Seam(
        WEB,
        "SaveHandler.post",
        "a large environment is written while nobody else is served; one that must not be written is",
        wrapper="visdom_transport.visdom.publishing.stock_requests:saving",
    ),
    Seam(
        WEB,
        "ForkEnvHandler.post",
        "a large environment is copied and written while nobody else is served; what cannot be carried out is half done",
        wrapper="visdom_transport.visdom.publishing.stock_requests:forking",
    ),
    Seam(
        WEB,
        "DataHandler.post",
        "large windows are parsed and encoded while nobody else is served; what cannot be carried out is half done",
        wrapper="visdom_transport.visdom.publishing.window_data:exchanging",
    ),
    Seam(
        WEB,
        "EnvStateHandler.post",
        "a large environment is encoded while nobody else is served; what cannot be carried out fails",
        wrapper="visdom_transport.visdom.publishing.window_data:telling_state",
    ),
    Seam(
        WEB,
        "ExperimentLogHandler.post",
        "a large environment is written while nobody else is served, once for each value",
        wrapper="visdom_transport.visdom.publishing.stock_requests:logging_experiment",
        versions=("0.3.0",),
    ),
    Seam(
        WEB,
        "CompareHandler.get",
        "an environment whose file has appeared since the start is not found",
        wrapper="visdom_transport.visdom.publishing.stock_requests:finding",
        versions=("0.3.0",),
    ),
    Seam(
        WEB,
        "EnvHandler.get",
        "an environment whose file has appeared since the start is not found, nor one whose name is stored in another form",
        wrapper="visdom_transport.visdom.publishing.addresses:found_at_its_address",
        versions=("0.3.0",),
    ),
    Seam(
        WEB,
        "EnvHandler.get",
        "an environment whose name is stored in another form is not found",
        wrapper="visdom_transport.visdom.publishing.addresses:at_its_address",
        versions=("0.2.4", "m23"),
    ),
    Seam(
        WEB,
        "UploadEnvHandler.post",
        "an upload that is no environment is taken; a large one is read and written while nobody else is served",
        wrapper="visdom_transport.visdom.publishing.uploads:uploading",
        versions=("0.3.0",),
    ),
    # Telling subscribers
    Seam(
        UTILS,
        "broadcast",
        "a subscriber can fail or slow a publisher",
        replacement="visdom_transport.visdom.serving.broadcasts:broadcast",
        aliases=(WEB, SOCKET),
    ),
    Seam(
        UTILS,
        "broadcast_envs",
        "the state tells when the list changes",
        replacement="visdom_transport.visdom.serving.broadcasts:broadcast_envs",
        aliases=(WEB, SOCKET),
    ),
    Seam(
        UTILS,
        "send_to_sources",
        "events go through a feed that remembers them",
        replacement="visdom_transport.visdom.serving.broadcasts:send_to_sources",
        aliases=(SOCKET,),
    ),
    Seam(
        UTILS,
        "notify",
        "messages for people go through a feed",
        replacement="visdom_transport.visdom.serving.broadcasts:notify",
        aliases=(WEB, SOCKET),
        versions=("0.3.0",),
    ),
    Seam(
        UTILS,
        "load_env",
        "a page subscribes to an environment",
        replacement="visdom_transport.visdom.serving.broadcasts:load_env",
        aliases=(WEB,),
    ),
    Seam(
        UTILS,
        "compare_envs",
        "a comparison follows its environments",
        wrapper="visdom_transport.visdom.serving.broadcasts:compare_envs",
        aliases=(WEB,),
    ),
    # Links
    Seam(
        SOCKET,
        "SocketHandler",
        "browser WebSocket: our protocol or the stock dialect",
        replacement="visdom_transport.visdom.serving.sockets:BrowserSocket",
        aliases=(APP,),
    ),
    Seam(
        SOCKET,
        "VisSocketHandler",
        "source WebSocket: our protocol or the stock dialect",
        replacement="visdom_transport.visdom.serving.sockets:SourceSocket",
        aliases=(APP,),
    ),
    Seam(
        SOCKET,
        "SocketWrap",
        "browser polling: in order, bounded, with login",
        replacement="visdom_transport.visdom.serving.stock_polls:BrowserPollHandler",
        aliases=(APP,),
    ),
    Seam(
        SOCKET,
        "VisSocketWrap",
        "source polling: works again, bounded, with login",
        replacement="visdom_transport.visdom.serving.stock_polls:SourcePollHandler",
        aliases=(APP,),
    ),
)

PATCHES: Final = Patches(TABLE, flavour.recognise)

apply = PATCHES.apply
"""What the import hook and patched source trees call."""
