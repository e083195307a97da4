"""One server for a class: a JupyterHub that opens the course for each student. The guide is README.md beside this file.

    jupyterhub -f assets/jupyterhub/jupyterhub_config.py

Written for a Linux machine on which every student has an account. What keeps a student small is marked (memory).
"""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821 JupyterHub defines it

COURSE = Path(os.environ.get("COURSE", "/srv/diffusion-course"))  # a checkout that students can read and not write

# Who may come in. PAM, the default, takes the machine's accounts; any other authenticator fits as well.
c.Authenticator.admin_users = set(os.environ.get("HUB_ADMINS", "").split())
c.Authenticator.allow_all = True  # whoever has an account on this machine

# What a student gets: JupyterLab in their home folder, in which a copy of the notebooks appears at the first login.
c.Spawner.notebook_dir = "~/course"
c.Spawner.default_url = "/lab/tree/00_start_here.ipynb"
c.Spawner.cmd = [
    sys.executable,
    "-m",
    "jupyterhub.singleuser",
]  # (memory) one environment for all: its libraries are loaded once
c.Spawner.environment = {
    "OMP_NUM_THREADS": "1",  # many students, few cores: threads would fight for them
    "MALLOC_ARENA_MAX": "2",  # (memory) glibc keeps a heap for each thread, up to eight for each core
    "MALLOC_TRIM_THRESHOLD_": "100000",  # (memory) what is freed goes back to the system
}
c.Spawner.args = [
    # (memory) a kernel that nobody has used for 20 minutes ends; the notebook keeps its outputs
    "--MappingKernelManager.cull_idle_timeout=1200",
    "--MappingKernelManager.cull_interval=120",
    "--MappingKernelManager.cull_connected=True",
    # (memory) no language servers, no terminals
    "--ServerApp.terminals_enabled=False",
    "--ServerApp.jpserver_extensions=jupyter_lsp=False",
    "--LabApp.news_url=",
]
c.Spawner.mem_limit = "3G"  # enforced by spawners that can (SystemdSpawner, DockerSpawner), told to the student by all
c.Spawner.start_timeout = 300
c.Spawner.http_timeout = 300


def copy_notebooks(spawner):
    """Give a student the notebooks that they do not have yet; what they have written stays.

    As the student, not as root, who would follow a link that a student has put in place of the folder.
    """
    import pwd
    import subprocess

    name, student = spawner.user.name, {}
    folder = Path(spawner.notebook_dir.replace("{username}", name))
    if spawner.notebook_dir.startswith("~"):  # students have accounts
        account = pwd.getpwnam(name)
        folder = Path(account.pw_dir) / spawner.notebook_dir.removeprefix("~/")
        student = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    sources = [*sorted((COURSE / "notebooks").glob("*.ipynb")), COURSE / "notebooks" / "GLOSSARY.md"]
    subprocess.run(["mkdir", "-p", folder], check=True, **student)
    subprocess.run(["cp", "--no-clobber", *sources, folder], check=True, **student)


c.Spawner.pre_spawn_hook = copy_notebooks

# (memory) a whole server that nobody has used for an hour ends as well
c.JupyterHub.services = [
    {"name": "idle", "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600", "--cull-every=300"]}
]
c.JupyterHub.load_roles = [
    {
        "name": "idle",
        "services": ["idle"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    }
]
c.JupyterHub.concurrent_spawn_limit = 40  # a whole class may log in at once; beyond it, the hub answers "try again"
c.JupyterHub.active_server_limit = int(os.environ.get("HUB_SERVERS", "0"))  # 0: no limit; set what the memory allows
