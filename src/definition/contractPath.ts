/**
 * Paths of contract files: relative to workflow.yaml, with `/`, without `.` and inner `..`.
 */

/** The normalised path; undefined where it is absolute, empty or no path at all. */
export const normalisePath = (path: string): string | undefined => {
  const slashed = path.replaceAll("\\", "/")
  if (
    slashed === "" ||
    slashed.startsWith("/") ||
    /^[A-Za-z][A-Za-z0-9+.-]*:/.test(slashed) ||
    slashed.includes("\u0000")
  )
    return undefined
  const parts: Array<string> = []
  for (const part of slashed.split("/")) {
    if (part === "" || part === ".") continue
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop()
    else parts.push(part)
  }
  return parts.length === 0 ? undefined : parts.join("/")
}

/** The directory of a normalised path; "" is that of workflow.yaml. */
export const directoryOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")))

export const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

/** A contract's path as the user would name it, beside the way that they name workflow.yaml. */
export const besideWorkflow = (workflowFile: string, path: string): string => {
  const slash = Math.max(workflowFile.lastIndexOf("/"), workflowFile.lastIndexOf("\\"))
  return workflowFile.slice(0, slash + 1) + path
}

export const isYaml = (path: string): boolean => /\.ya?ml$/i.test(path)
