/** A small filesystem in memory that can be filled to the brim and freed again. Needs to be allowed to mount. */
import { spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export class SmallDisk {
  readonly path: string
  readonly #ballast: string

  private constructor(path: string) {
    this.path = path
    this.#ballast = join(path, "ballast")
  }

  /** Undefined where nothing can be mounted. */
  static mount(megabytes: number): SmallDisk | undefined {
    const path = mkdtempSync(join(tmpdir(), "handrail-disk-"))
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path])
    if (mounted.status !== 0) {
      rmSync(path, { recursive: true, force: true })
      return undefined
    }
    // A database runs as another user.
    chmodSync(path, 0o755)
    return new SmallDisk(path)
  }

  /** Leaves about so many bytes. What others write meanwhile may take them first. */
  fill(left: number): void {
    const { bavail, bsize } = statfsSync(this.path)
    try {
      writeFileSync(this.#ballast, Buffer.alloc(Math.max(0, bavail * bsize - left)))
    } catch {
      // Full is what it was to be.
    }
  }
  free(): void {
    rmSync(this.#ballast, { force: true })
  }

  remove(): void {
    spawnSync("umount", ["-l", this.path])
    rmSync(this.path, { recursive: true, force: true })
  }
}

/**
 * Limits how large files may grow that a running process writes (`prlimit`): its next write beyond fails as an I/O error. Takes no
 * rights but to be the owner of the process. False where there is no such command.
 */
export const limitFileSize = (pid: number, bytes: number | "unlimited"): boolean =>
  spawnSync("prlimit", [`--pid=${pid}`, `--fsize=${bytes}:unlimited`]).status === 0
