/** The environment in which every check runs: the seed of CI, whatever the caller has set, and no search for a short failure. */
export const testEnvironment = (): NodeJS.ProcessEnv => {
  const env: NodeJS.ProcessEnv = { ...process.env }
  for (const name of ["HANDRAIL_PROPERTY_SEED", "HANDRAIL_PROPERTY_PATH", "HANDRAIL_PROPERTY_RUNS"])
    Reflect.deleteProperty(env, name)
  return { ...env, CI: "true", HANDRAIL_PROPERTY_SHRINK: "0", HANDRAIL_TEST_STORES: "sqlite" }
}
