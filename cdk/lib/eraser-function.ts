import { join } from 'node:path';
import { Duration } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { Environment } from './environment';
import { eraserGrants } from './eraser-grants';
import { PrebuiltFunction } from './prebuilt-function';
import { eraserVariables } from './variables';

export interface EraserFunctionProps {
  readonly environment: Environment;
  /** Folder that holds `photolala-eraser/bootstrap`. */
  readonly bootstraps: string;
}

/** `photolala-eraser-<environment>`: erases what a page lists. Only S3 Batch Operations invokes it. */
export class EraserFunction extends PrebuiltFunction {
  /** The numbered version that new jobs invoke. Earlier ones stay, so that a running job keeps its code. */
  readonly version: lambda.Version;

  constructor(scope: Construct, id: string, { environment, bootstraps }: EraserFunctionProps) {
    super(scope, id, {
      environment,
      functionName: environment.functions.eraser,
      description: 'Erases the object versions that a page lists',
      folder: join(bootstraps, 'photolala-eraser'),
      // About 12 MB are used; a page is one request, which waits for S3 and needs little of a processor.
      memorySize: 256,
      // A page is one DeleteObjects call with its retries: seconds, minutes when S3 asks to slow down.
      timeout: Duration.minutes(5),
      variables: eraserVariables(environment),
      grants: eraserGrants(environment),
      reservedConcurrency: environment.eraserConcurrency ?? undefined,
    });
    this.version = this.function.currentVersion;
  }
}
